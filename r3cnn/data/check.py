"""The check of a data folder before anything is trained on it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..core.errors import UserError
from . import SPLITS, annotation_file, image_folder
from .annotations import read, read_json
from .content import fail, require_sound, some
from .held import Held, held_by_score, held_by_training
from .image_files import FETCH, require_sizes, size_of_images
from .synthetic.shapes import PARAMETERS

logger = logging.getLogger(__name__)


def check(folder: Path, wanted: Sequence[str] = SPLITS) -> dict:
    """Check a data folder in COCO 2017's layout and return the content of data.json.

    Counts of `train` are those of mmdet's data set, which leaves out more than a file says; those of `val`
    are the metric's. `warnings` lists what is left out. image_bytes are those of the
    images listed. Raises UserError for the first fault found. Of images the headers of
    some hundred are read. wanted: the splits to look at, `val` alone where nothing is trained.
    """
    folder = Path(folder)
    _require_layout(folder, wanted)
    categories, splits = {}, {}
    for split in wanted:
        categories[split], splits[split] = _check_split(folder, split)
    if len(categories) > 1:
        _require_same_categories(folder, categories["train"], categories["val"])
    first = categories[wanted[0]]
    marker = folder / PARAMETERS
    return {
        "root": str(folder),
        "generated": read_json(marker)[0] if marker.exists() else None,
        "classes": list(first.values()),
        "category_ids": list(first),
        "splits": splits,
    }


def _require_layout(folder: Path, wanted: Sequence[str]) -> None:
    if not folder.is_dir():
        images = " and ".join(f"{image_folder(folder, split).name}/" for split in wanted)
        raise UserError(
            f"{folder}: no such folder, expected one with annotations/, {images}; give the right path, "
            f"download COCO with `python -m r3cnn data coco --to {folder}`, or generate images with "
            "`python -m r3cnn data shapes`"
        )
    for split in wanted:
        if not annotation_file(folder, split).is_file():
            raise UserError(
                f"{annotation_file(folder, split)}: no such file, expected COCO 2017's layout "
                f"under {folder}; {FETCH}"
            )
    for split in wanted:
        if not image_folder(folder, split).is_dir():
            raise UserError(
                f"{image_folder(folder, split)}: no such folder, expected the images of {split}; "
                f"{FETCH}"
            )


def _check_split(folder: Path, split: str) -> tuple[dict[int, str], dict]:
    """The categories (id -> name, in the file's order) and data.json's entry of a split."""
    file = annotation_file(folder, split)
    content, digest = read(file)
    logger.info("%s: checking %d annotations", file, len(content["annotations"]))
    sound = require_sound(file, content, scored=split == "val")
    logger.info("%s: looking for %d image files", image_folder(folder, split), len(sound.sizes))
    image_bytes = size_of_images(image_folder(folder, split), file, content["images"])
    require_sizes(image_folder(folder, split), content["images"])
    if split == "train":
        held = held_by_training(file, content, sound)
    else:
        held = held_by_score(content, sound)
    for line in held.warnings:
        logger.warning("%s: %s", file, line)
    if split == "train" and not held.counts["object_count"]:
        _fail_without_objects(file, held)
    summary = {
        "annotations": str(file),
        "sha256": digest,
        "images": str(image_folder(folder, split)),
        "image_count": len(sound.sizes),
        "image_bytes": image_bytes,
        **held.counts,
        "left_out": held.left_out,
        "warnings": held.warnings,
    }
    return sound.categories, summary


def _fail_without_objects(file: Path, held: Held) -> NoReturn:
    counts = held.counts
    why = "; ".join(f"{count}: {reason}" for reason, count in held.left_out.items())
    found = f"{counts['annotation_count']} annotations, of which {counts['crowd_count']} are crowds"
    found += f" and the rest is left out ({why})" if why else ""
    remedy = "correct what the annotations say, or use another file"
    fail(
        file, "annotations", f"no object to train on found ({found}), expected one at least", remedy
    )


def _require_same_categories(folder: Path, train: dict[int, str], val: dict[int, str]) -> None:
    differing = dict.fromkeys(f"{i} {name}" for i, name in train.items() ^ val.items())
    if list(train.items()) == list(val.items()):
        return
    what = f"only in one of the two: {some(sorted(differing))}" if differing else "another order"
    fail(
        annotation_file(folder, "val"),
        "categories",
        f"not those of {annotation_file(folder, 'train').name} ({what}), expected the same ids "
        "and names in the same order",
        "use two files of one data set",
    )
