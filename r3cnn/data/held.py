"""Which images and annotations training and scoring use, and why the others are left out."""

import contextlib
import functools
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .content import Sound, some

# Of every model of the catalogue. A model of a user's own may filter otherwise; `train` counts what it holds.
DATASET = "mmdet::_base_/datasets/coco_instance.py"
SCORED_AREAS = (0, 1e10)  # pixels; pycocotools passes over an object of another area

IMAGES, ANNOTATIONS = "images", "annotations"
FLAGGED = "they have the flag `ignore`"
FLAT = "their box has no area"
OUTSIDE = "their box lies outside its image"
NO_AREA = "their `area` is 0 or less"
THIN = "their box is less than a pixel wide or high"
OTHER = "mmdet's data set filters them"


class Held(NamedTuple):
    """What is held of a file: counts of data.json, how many are left out for a reason, and a line on each.

    The lines also name what is held but cannot be learnt or found.
    """

    counts: dict[str, int]
    left_out: dict[str, int]
    warnings: list[str]


def held_by_training(file: Path, content: dict, sound: Sound) -> Held:
    """What mmdet's own data set keeps of a sound file; the annotations lose their segmentations here.

    Objects are the annotations that are learnt, crowds the regions in which nothing is.
    """
    for annotation in content["annotations"]:
        annotation["segmentation"] = annotation["id"]  # comes back as the mask of one that is kept
    infos, smallest = _kept_by_mmdet(file, content, tuple(sound.categories.values()))
    images = {info["img_id"] for info in infos}
    crowd = {one["mask"]: bool(one["ignore_flag"]) for info in infos for one in info["instances"]}
    with_objects = {
        info["img_id"] for info in infos if not all(o["ignore_flag"] for o in info["instances"])
    }
    objects = len(crowd) - sum(crowd.values())
    counts = {
        "annotation_count": len(content["annotations"]),
        "object_count": objects,
        "crowd_count": len(crowd) - objects,
        "images_without_objects": len(sound.sizes) - len(with_objects),
        "trained_images": len(images),
    }
    reasons = _reasons(content, sound, images, crowd, smallest)
    warnings = [
        f"{_of(ids, len(content[kind]), kind)} are left out of the training: {reason} ({some(ids)})"
        for (kind, reason), ids in reasons.items()
    ]
    learnt = [id_ for id_ in sound.empty if crowd.get(id_) is False]
    return Held(
        counts,
        {reason: len(ids) for (_, reason), ids in reasons.items()},
        warnings + _on_masks(learnt, "is learnt as an empty one"),
    )


def held_by_score(content: dict, sound: Sound) -> Held:
    """What pycocotools counts of a sound file."""
    low, high = SCORED_AREAS
    objects = [one for one in content["annotations"] if not one["iscrowd"]]
    ignored = [one["id"] for one in objects if not low <= one["area"] <= high]
    hidden = [
        one["id"]
        for one in objects
        if low <= one["area"] <= high
        and (min(one["bbox"][2:]) <= 0 or _overlap(one["bbox"], sound.sizes[one["image_id"]]) == 0)
    ]
    counted = {one["image_id"] for one in objects if low <= one["area"] <= high}
    counts = {
        "annotation_count": len(content["annotations"]),
        "object_count": len(objects) - len(ignored),
        "crowd_count": len(content["annotations"]) - len(objects),
        "images_without_objects": len(sound.sizes) - len(counted),
    }
    warnings = []
    if ignored:
        reason = f"their `area` is below {low} or above {high:.0f}"
        share = _of(ignored, len(content["annotations"]), ANNOTATIONS)
        warnings.append(f"{share} are not scored: {reason} ({some(ignored)})")
    if hidden:
        share = _of(hidden, len(content["annotations"]), ANNOTATIONS)
        warnings.append(
            f"{share} count as objects that are never found: their box has no area or lies outside its "
            f"image ({some(hidden)})"
        )
    if not counts["object_count"]:
        warnings.append(
            f"no object to find ({counts['crowd_count']} of {len(content['annotations'])} annotations are "
            "crowds): every AP will be null"
        )
    gone = {*ignored, *hidden} | {one["id"] for one in content["annotations"] if one["iscrowd"]}
    warnings += _on_masks([id_ for id_ in sound.empty if id_ not in gone], "is never found")
    return Held(counts, {reason: len(ignored)} if ignored else {}, warnings)


def _kept_by_mmdet(file: Path, content: dict, classes: tuple[str, ...]) -> tuple[list[dict], int]:
    """The images that mmdet's data set holds, with their instances, and the smallest side of one in pixels."""
    from mmdet.datasets import CocoDataset
    from mmdet.datasets.api_wrappers import COCO

    filters = _filters()
    with contextlib.redirect_stdout(io.StringIO()):
        parsed = COCO()
        parsed.dataset = content
        parsed.createIndex()
        parsed.img_ann_map, parsed.cat_img_map = parsed.imgToAnns, parsed.catToImgs
        held = CocoDataset(
            ann_file=str(file),
            data_prefix={"img": ""},
            metainfo={"classes": classes},
            filter_cfg=filters,
            serialize_data=False,
            lazy_init=True,
        )
        held.COCOAPI = lambda _: parsed  # as if it had read the file, which is parsed already
        held.full_init()
    return held.data_list, filters["min_size"]


@functools.cache
def _filters() -> dict:
    """Which images of a training set are passed over, by mmdet's own config."""
    from mmengine.hub import get_config

    return get_config(DATASET).train_dataloader.dataset.filter_cfg.to_dict()


def _reasons(
    content: dict, sound: Sound, images: set[int], kept: Iterable[int], smallest: int
) -> dict[tuple[str, str], list[int]]:
    """(images or annotations, reason) -> ids of what is not kept."""
    reasons = defaultdict(list)
    for id_, size in sound.sizes.items():
        if id_ not in images:
            reason = f"less than {smallest} pixels wide or high"
            reason = reason if min(size) < smallest else "without any annotation"
            reasons[IMAGES, f"they are {reason}"].append(id_)
    for one in content["annotations"]:
        if one["id"] not in kept:
            reason = _reason(one, sound.sizes[one["image_id"]])
            if one["image_id"] not in images:
                reason = f"their image is less than {smallest} pixels wide or high"
            reasons[ANNOTATIONS, reason].append(one["id"])
    return reasons


def _reason(annotation: dict, size: Sequence[int]) -> str:
    """Why mmdet's CocoDataset passes over an annotation, its rules in its order."""
    width, height = annotation["bbox"][2:]
    if annotation.get("ignore"):
        return FLAGGED
    if min(width, height) <= 0:
        return FLAT
    if _overlap(annotation["bbox"], size) == 0:
        return OUTSIDE
    if annotation["area"] <= 0:
        return NO_AREA
    return THIN if min(width, height) < 1 else OTHER


def _overlap(box: Sequence[float], size: Sequence[int]) -> float:
    """Pixels of a box [x, y, width, height] within an image of [height, width]."""
    left, top, width, height = box
    across = min(left + width, size[1]) - max(left, 0)
    down = min(top + height, size[0]) - max(top, 0)
    return max(0, across) * max(0, down)


def _of(ids: Sequence[int], total: int, kind: str) -> str:
    return f"{len(ids)} of {total} {kind}"


def _on_masks(ids: list[int], consequence: str) -> list[str]:
    if not ids:
        return []
    return [
        f"the mask of {len(ids)} objects has no pixel in the image and {consequence} ({some(ids)})"
    ]
