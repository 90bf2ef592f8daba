"""The generated data set: textured shapes in the layout of COCO 2017."""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image

from ...core.errors import UserError
from ...core.files import write_json
from .. import SPLITS, annotation_file, image_folder
from . import scene, segmentation
from .drawing import SHAPES

logger = logging.getLogger(__name__)

PARAMETERS = "shapes.json"  # marks the folder as generated and says how
MIN_SIDE = 64  # pixels; a crowd must fit
MOST_OBJECTS = 50
# Ids are COCO's in kind: those of categories have gaps, no two splits share an image's.
CATEGORY_IDS = [2 * i + 1 for i in range(len(SHAPES))]
FIRST_IMAGE_ID = {"train": 1, "val": 500_001}


def generate(
    folder: Path,
    train: int,
    val: int,
    width: int,
    height: int,
    classes: int,
    seed: int,
    objects: tuple[int, int] = (1, 6),
    class_colours: bool = False,
) -> None:
    """Write a data set of `train` and `val` images of `width` x `height` pixels to `folder`.

    `objects` is the range of objects an image; `class_colours` gives each class its own.
    Every image depends on the seed, its split and
    its index only. The folder appears whole or not at all; an earlier generated one is
    replaced. The parameters are written next to the splits, to shapes.json. Raises UserError
    for a value out of range and for a folder of other content.
    """
    parameters = {
        "train": train,
        "val": val,
        "width": width,
        "height": height,
        "classes": classes,
        "seed": seed,
        "objects": objects,
    }
    if class_colours:
        parameters["class_colours"] = True
    _require_ranges(parameters)
    folder = Path(folder).resolve()
    _require_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for split in SPLITS:
            _write_split(partial, split, parameters)
        write_json(partial / PARAMETERS, parameters)
        _move_into_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _require_ranges(parameters: dict) -> None:
    bounds = {
        "train": (1, FIRST_IMAGE_ID["val"] - 1),
        "val": (1, FIRST_IMAGE_ID["val"] - 1),
        "width": (MIN_SIDE, 4096),
        "height": (MIN_SIDE, 4096),
        "classes": (1, len(SHAPES)),
        "seed": (0, 2**32 - 1),
    }
    for key, (low, high) in bounds.items():
        value = parameters[key]
        if type(value) is not int or not low <= value <= high:
            _refuse(key, value, f"a whole number from {low} to {high}")
    objects = parameters["objects"]
    pair = isinstance(objects, list | tuple) and [type(value) for value in objects] == [int, int]
    if not pair or not 1 <= objects[0] <= objects[1] <= MOST_OBJECTS:
        _refuse("objects", objects, f"[least, most] with 1 <= least <= most <= {MOST_OBJECTS}")


def _refuse(key: str, value: object, expected: str) -> NoReturn:
    raise UserError(
        f"data: shapes: {key}: {value!r} found, expected {expected}; correct it in the scale file"
    )


def _require_replaceable(folder: Path) -> None:
    """Refuse to replace a folder with files that this module did not write, or to lose a file of that name."""
    if folder.is_file():
        raise UserError(f"{folder}: a file, expected an empty or missing folder; name another one")
    own = _written_by(folder)
    foreign = sorted(
        path for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path not in own
    )  # fmt: skip
    if not foreign:
        return
    what = f"{foreign[0]} is not a file of it" if own else f"no {PARAMETERS} of one"
    raise UserError(
        f"{folder}: holds files that no generated data set has ({len(foreign)}: {what}), expected an empty or "
        "missing folder, or an earlier generated set alone; name another one, or move the files away first"
    )


def _written_by(folder: Path) -> set[Path]:
    """The files of the generated set whose parameters are in a folder; none without valid parameters."""
    marker = folder / PARAMETERS
    try:
        parameters = json.loads(marker.read_text(encoding="utf-8"))
        counts = {split: parameters[split] for split in SPLITS}
        _require_ranges({"objects": (1, 6), **parameters})
    except (OSError, ValueError, KeyError, TypeError, UserError):
        return set()
    files = {marker, *(annotation_file(folder, split) for split in SPLITS)}
    for split, count in counts.items():
        first, images = FIRST_IMAGE_ID[split], image_folder(folder, split)
        files |= {images / _image_name(id_) for id_ in range(first, first + count)}
    return files


def _image_name(image_id: int) -> str:
    return f"{image_id:012d}.png"


def _move_into_place(partial: Path, folder: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    outgoing = partial.with_suffix(".old")
    folder.rename(outgoing)
    partial.rename(folder)
    shutil.rmtree(outgoing)


def _write_split(folder: Path, split: str, parameters: dict) -> None:
    images_to = image_folder(folder, split)
    images_to.mkdir(parents=True)
    images, annotations = [], []
    count = parameters[split]
    for index in range(count):
        drawn = _draw(split, index, parameters)
        image_id = FIRST_IMAGE_ID[split] + index
        images.append(_image_record(image_id, parameters))
        Image.fromarray(drawn.pixels).save(images_to / images[-1]["file_name"], compress_level=1)
        annotations += _annotation_records(drawn, image_id)
        if (index + 1) % 500 == 0 or index + 1 == count:
            logger.info("%s: %d of %d images drawn", split, index + 1, count)
    names = list(SHAPES)[: parameters["classes"]]
    content = {
        "info": {"description": f"Generated shapes, seed {parameters['seed']}", "version": "1"},
        "licenses": [{"id": 1, "name": "Generated; no rights reserved", "url": ""}],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": id_, "name": name, "supercategory": "shape"}
            for id_, name in zip(CATEGORY_IDS, names, strict=False)
        ],
    }
    write_json(annotation_file(folder, split), content, indent=None)


def _draw(split: str, index: int, parameters: dict) -> scene.Scene:
    rng = np.random.default_rng([parameters["seed"], SPLITS.index(split), index])
    size = (parameters["width"], parameters["height"])
    kind = (parameters["classes"], parameters["objects"], parameters.get("class_colours", False))
    return scene.draw(rng, index, *size, *kind)


def _image_record(image_id: int, parameters: dict) -> dict:
    return {
        "id": image_id,
        "file_name": _image_name(image_id),
        "width": parameters["width"],
        "height": parameters["height"],
        "license": 1,
    }


def _annotation_records(drawn: scene.Scene, image_id: int) -> list[dict]:
    """COCO's records of the instances; area and box are those of the visible pixels."""
    records = []
    for number, instance in enumerate(drawn.instances):
        encode = segmentation.run_lengths if instance.crowd else segmentation.encode
        records.append(
            {
                "id": 100 * image_id + number,
                "image_id": image_id,
                "category_id": CATEGORY_IDS[instance.category],
                "iscrowd": int(instance.crowd),
                "area": int(instance.visible.sum()),
                "bbox": segmentation.bounding_box(instance.visible),
                "segmentation": encode(instance.visible),
            }
        )
    return records
