"""The check of a data folder before anything is trained on it."""

import logging
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from ..core.errors import UserError
from . import SPLITS, annotation_file, image_folder
from .annotations import read, read_json
from .synthetic.shapes import PARAMETERS

logger = logging.getLogger(__name__)

SHOWN = 5  # names or ids listed in one message
FETCH = "put the missing files there, or give the right folder"


def check(folder: Path) -> dict:
    """Check a data folder in COCO 2017's layout and return the content of data.json.

    Counts: objects are the annotations that are no crowd and whose box has an area; images
    without such an object are without objects; image_bytes are those of the images listed.
    Raises UserError for the first fault found. Images are not opened.
    """
    folder = Path(folder)
    _require_layout(folder)
    categories, splits = {}, {}
    for split in SPLITS:
        categories[split], splits[split] = _check_split(folder, split)
    _require_same_categories(folder, categories["train"], categories["val"])
    marker = folder / PARAMETERS
    return {
        "root": str(folder),
        "generated": read_json(marker)[0] if marker.exists() else None,
        "classes": list(categories["train"].values()),
        "category_ids": list(categories["train"]),
        "splits": splits,
    }


def _fail(file: Path, where: str, what: str, remedy: str) -> NoReturn:
    raise UserError(f"{file}: {where}: {what}; {remedy}")


def _some(values: Iterable[object]) -> str:
    listed = list(values)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(map(str, listed[:SHOWN])) + more


def _require_layout(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder, expected one with annotations/, train2017/ and val2017/; "
            "give the right path, or write a set with `python -m r3cnn data shapes`"
        )
    for split in SPLITS:
        if not annotation_file(folder, split).is_file():
            raise UserError(
                f"{annotation_file(folder, split)}: no such file, expected COCO 2017's layout "
                f"under {folder}; {FETCH}"
            )
    for split in SPLITS:
        if not image_folder(folder, split).is_dir():
            raise UserError(
                f"{image_folder(folder, split)}: no such folder, expected the images of {split}; "
                f"{FETCH}"
            )


def _check_split(folder: Path, split: str) -> tuple[dict[int, str], dict]:
    """The categories (id -> name, in the file's order) and data.json's entry of a split."""
    file = annotation_file(folder, split)
    content, digest = read(file)
    categories = _checked_categories(file, content["categories"])
    images = _checked_images(file, content["images"])
    logger.info("%s: looking for %d image files", image_folder(folder, split), len(images))
    image_bytes = _size_of_images(image_folder(folder, split), file, content["images"])
    logger.info("%s: checking %d annotations", file, len(content["annotations"]))
    counts = _checked_annotations(file, content["annotations"], images, categories)
    summary = {
        "annotations": str(file),
        "sha256": digest,
        "images": str(image_folder(folder, split)),
        "image_count": len(images),
        "image_bytes": image_bytes,
        **counts,
    }
    return categories, summary


def _require_same_categories(folder: Path, train: dict[int, str], val: dict[int, str]) -> None:
    differing = dict.fromkeys(f"{i} {name}" for i, name in train.items() ^ val.items())
    if list(train.items()) == list(val.items()):
        return
    what = f"only in one of the two: {_some(sorted(differing))}" if differing else "another order"
    _fail(
        annotation_file(folder, "val"),
        "categories",
        f"not those of {annotation_file(folder, 'train').name} ({what}), expected the same ids "
        "and names in the same order",
        "use two files of one data set",
    )


def _checked_categories(file: Path, categories: list[dict]) -> dict[int, str]:
    if not categories:
        _fail(file, "categories", "none found, expected one at least", "list the classes")
    names = {}
    for category in categories:
        id_, name = _whole(file, "category", category, "id"), category.get("name")
        if not isinstance(name, str) or not name:
            _fail(file, f"category {id_}", f"name {name!r} found, expected text", "name it")
        if id_ in names:
            _fail(file, f"category {id_}", "the id is there twice, expected once", "renumber one")
        if name in names.values():
            _fail(
                file, f"category {id_}", f"a second one named {name!r}, expected once", "rename one"
            )
        names[id_] = name
    return names


def _checked_images(file: Path, images: list[dict]) -> dict[int, list[int]]:
    """Image id -> [height, width] in pixels."""
    if not images:
        _fail(file, "images", "none found, expected one at least", "use a split with images")
    sizes = {}
    for image in images:
        id_ = _whole(file, "image", image, "id")
        if id_ in sizes:
            _fail(file, f"image {id_}", "the id is there twice, expected once", "remove one")
        name = image.get("file_name")
        if not isinstance(name, str) or not name:
            _fail(file, f"image {id_}", f"file_name {name!r} found, expected text", "correct it")
        for key in ("width", "height"):
            if type(image.get(key)) is not int or image[key] <= 0:
                _fail(
                    file,
                    f"image {id_}",
                    f"{key} {image.get(key)!r} found, expected a whole number of pixels above 0",
                    "write the image's true size there",
                )
        sizes[id_] = [image["height"], image["width"]]
    return sizes


def _size_of_images(folder: Path, file: Path, images: list[dict]) -> int:
    """Bytes of the listed images, all of which must be there and not be empty."""
    names = dict.fromkeys(image["file_name"] for image in images)
    with os.scandir(folder) as entries:
        sizes = {
            entry.name: entry.stat().st_size
            for entry in entries
            if entry.name in names and entry.is_file()
        }
    missing = [name for name in names if name not in sizes]
    if missing:
        _fail(
            folder,
            f"{len(missing)} of {len(names)} images of {file.name} missing",
            f"{_some(missing)} not found, expected every file_name",
            FETCH,
        )
    empty = [name for name in names if sizes[name] == 0]
    if empty:
        _fail(folder, _some(empty), "0 bytes found, expected an image", "fetch it again")
    return sum(sizes.values())


def _checked_annotations(
    file: Path,
    annotations: list[dict],
    images: dict[int, list[int]],
    categories: dict[int, str],
) -> dict[str, int]:
    """data.json's counts of a split."""
    seen, without_objects, dropped = set(), set(images), []
    crowds = 0
    for annotation in annotations:
        id_ = _checked_annotation(file, annotation, images, categories)
        if id_ in seen:
            _fail(file, f"annotation {id_}", "the id is there twice, expected once", "renumber one")
        seen.add(id_)
        if min(annotation["bbox"][2:]) <= 0:
            dropped.append(id_)
            continue
        _require_segmentation(file, annotation, images[annotation["image_id"]])
        if annotation["iscrowd"]:
            crowds += 1
        else:
            without_objects.discard(annotation["image_id"])
    if dropped:
        logger.warning(
            "%s: %d annotations whose box has no area are left out: %s",
            file, len(dropped), _some(dropped),
        )  # fmt: skip
    return {
        "object_count": len(annotations) - crowds - len(dropped),
        "crowd_count": crowds,
        "images_without_objects": len(without_objects),
        "dropped_no_area": len(dropped),
    }


def _checked_annotation(
    file: Path, annotation: dict, images: dict[int, list[int]], categories: dict[int, str]
) -> int:
    """The id of an annotation whose numbers and references are sound."""
    id_ = _whole(file, "annotation", annotation, "id")
    where = f"annotation {id_}"
    if id_ < 1:
        # pycocotools marks a match by the annotation's id, so that id 0 reads as no match.
        _fail(file, where, "expected an id of 1 or more", "number the annotations from 1")
    image_id = _whole(file, where, annotation, "image_id")
    if image_id not in images:
        _fail(
            file,
            where,
            f"image_id {image_id} found, expected the id of one of the {len(images)} images",
            "add the image or remove the annotation",
        )
    category_id = _whole(file, where, annotation, "category_id")
    if category_id not in categories:
        _fail(
            file,
            where,
            f"category_id {category_id} found, expected one of {_some(categories)}",
            "add the category or correct the id",
        )
    if annotation.get("iscrowd") not in (0, 1):
        what = f"iscrowd {annotation.get('iscrowd')!r} found, expected 0 or 1"
        _fail(file, where, what, "correct it")
    if not _finite(annotation.get("area")):
        what = f"area {annotation.get('area')!r} found, expected a finite number"
        _fail(file, where, what, "write its area in pixels there")
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_finite, box)):
        _fail(
            file,
            where,
            f"bbox {box!r} found, expected 4 finite numbers [x, y, width, height]",
            "correct the box or remove the annotation",
        )
    return id_


def _require_segmentation(file: Path, annotation: dict, size: list[int]) -> None:
    where = f"annotation {annotation['id']}"
    remedy = "correct the segmentation or remove the annotation"
    if "segmentation" not in annotation:
        _fail(file, where, "segmentation missing, expected polygons or an RLE", remedy)
    fault, rle_size = annotation["segmentation"]
    if fault:
        _fail(file, where, f"segmentation: {fault}", remedy)
    if rle_size and rle_size != size:
        _fail(
            file,
            where,
            f"segmentation: an RLE of size {rle_size} found, expected its image's "
            f"[height, width] {size}",
            remedy,
        )


def _whole(file: Path, where: str, entry: dict, key: str) -> int:
    value = entry.get(key)
    if type(value) is not int:
        what = f"{key} {value!r} found, expected a whole number"
        _fail(file, where, what, "correct it")
    return value


def _finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
