"""Check the content of an annotation file: ids, references, sizes, boxes and segmentations."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

from ..core.errors import UserError
from .segmentation import PIXELS, REACH, Segmentation, examine, examine_codes

IDS = range(-(2**63), 2**63)  # those of the predictions file
SHOWN = 5  # names or ids listed in one message
MEND = "correct the segmentation or remove the annotation"


class Sound(NamedTuple):
    """What a sound file holds: category id -> name in the file's order, image id -> [height, width] in pixels.

    empty: ids of the annotations whose mask has no pixel in its image.
    """

    categories: dict[int, str]
    sizes: dict[int, list[int]]
    empty: list[int]


def require_sound(file: Path, content: dict, scored: bool) -> Sound:
    """Raise UserError for the first fault of an annotation file's content, as `annotations.read` gives it.

    scored: a box without area needs a sound segmentation too, for the score reads it; training does not.
    """
    categories = _checked_categories(file, content["categories"])
    sizes = _checked_images(file, content["images"])
    empty = _checked_annotations(file, content["annotations"], sizes, categories, scored)
    return Sound(categories, sizes, empty)


def fail(file: Path, where: str, what: str, remedy: str) -> NoReturn:
    """Raise the one line about a fault."""
    raise UserError(f"{file}: {where}: {what}; {remedy}")


def some(values: Iterable[object]) -> str:
    """The first few values, and how many there are more."""
    listed = list(values)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(map(str, listed[:SHOWN])) + more


def _checked_categories(file: Path, categories: list[dict]) -> dict[int, str]:
    if not categories:
        fail(file, "categories", "none found, expected one at least", "list the classes")
    names = {}
    for category in categories:
        id_, name = _id(file, "category", category, "id"), category.get("name")
        if not isinstance(name, str) or not name or not _encodable(name):
            fail(file, f"category {id_}", f"name {name!r} found, expected text", "name it")
        if id_ in names:
            fail(file, f"category {id_}", "the id is there twice, expected once", "renumber one")
        if name in names.values():
            fail(
                file, f"category {id_}", f"a second one named {name!r}, expected once", "rename one"
            )
        names[id_] = name
    return names


def _checked_images(file: Path, images: list[dict]) -> dict[int, list[int]]:
    """Image id -> [height, width] in pixels."""
    if not images:
        fail(file, "images", "none found, expected one at least", "use a split with images")
    sizes = {}
    for image in images:
        id_ = _id(file, "image", image, "id")
        if id_ in sizes:
            fail(file, f"image {id_}", "the id is there twice, expected once", "remove one")
        name = image.get("file_name")
        if not isinstance(name, str) or not name or not _encodable(name):
            fail(file, f"image {id_}", f"file_name {name!r} found, expected text", "correct it")
        for key in ("width", "height"):
            if type(image.get(key)) is not int or image[key] <= 0:
                fail(
                    file,
                    f"image {id_}",
                    f"{key} {image.get(key)!r:.60} found, expected a whole number of pixels above 0",
                    "write the image's true size there",
                )
        if image["width"] * image["height"] > PIXELS:
            fail(
                file,
                f"image {id_}",
                f"{image['width']} x {image['height']} found, expected {PIXELS} pixels at most",
                "write the image's true size there",
            )
        sizes[id_] = [image["height"], image["width"]]
    return sizes


def _checked_annotations(
    file: Path,
    annotations: list[dict],
    sizes: dict[int, list[int]],
    categories: dict[int, str],
    scored: bool,
) -> list[int]:
    """The ids of those whose mask is empty."""
    seen: set[int] = set()
    coded: list[dict] = []
    empty = []
    for annotation in annotations:
        id_ = _checked_annotation(file, annotation, sizes, categories)
        if id_ in seen:
            fail(file, f"annotation {id_}", "the id is there twice, expected once", "renumber one")
        seen.add(id_)
        if not scored and min(annotation["bbox"][2:]) <= 0:
            continue
        size = sizes[annotation["image_id"]]
        found = _checked_segmentation(file, annotation, size)
        if found.counts is not None:
            coded.append({"id": id_, "counts": found.counts, "pixels": size[0] * size[1]})
        elif found.empty or _outside(found.extent, size):
            empty.append(id_)
    verdicts = examine_codes([one["counts"] for one in coded], [one["pixels"] for one in coded])
    for one, found in zip(coded, verdicts, strict=True):
        if found.fault:
            fail(file, f"annotation {one['id']}", f"segmentation: {found.fault}", MEND)
        if found.empty:
            empty.append(one["id"])
    return empty


def _outside(extent: tuple | None, size: list[int]) -> bool:
    if extent is None:
        return False
    left, top, right, bottom = extent
    return right <= 0 or bottom <= 0 or left >= size[1] or top >= size[0]


def _checked_annotation(
    file: Path, annotation: dict, sizes: dict[int, list[int]], categories: dict[int, str]
) -> int:
    """The id of an annotation whose numbers and references are sound."""
    id_ = _id(file, "annotation", annotation, "id")
    where = f"annotation {id_}"
    if id_ < 1:
        # pycocotools marks a match by the annotation's id, so that id 0 reads as no match.
        fail(file, where, "expected an id of 1 or more", "number the annotations from 1")
    image_id = _id(file, where, annotation, "image_id")
    if image_id not in sizes:
        fail(
            file,
            where,
            f"image_id {image_id} found, expected the id of one of the {len(sizes)} images",
            "add the image or remove the annotation",
        )
    category_id = _id(file, where, annotation, "category_id")
    if category_id not in categories:
        fail(
            file,
            where,
            f"category_id {category_id} found, expected one of {some(categories)}",
            "add the category or correct the id",
        )
    if annotation.get("iscrowd") not in (0, 1):
        what = f"iscrowd {annotation.get('iscrowd')!r:.60} found, expected 0 or 1"
        fail(file, where, what, "correct it")
    if not _finite(annotation.get("area")):
        what = f"area {annotation.get('area')!r:.60} found, expected a finite number"
        fail(file, where, what, "write its area in pixels there")
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_finite, box)):
        fail(
            file,
            where,
            f"bbox {box!r:.99} found, expected 4 finite numbers [x, y, width, height]",
            "correct the box or remove the annotation",
        )
    if max(map(abs, box)) > REACH:
        fail(
            file,
            where,
            f"bbox {box!r} found, expected pixels of the image",
            "correct the box or remove the annotation",
        )
    return id_


def _checked_segmentation(file: Path, annotation: dict, size: list[int]) -> Segmentation:
    where = f"annotation {annotation['id']}"
    if "segmentation" not in annotation:
        fail(file, where, "segmentation missing, expected polygons or an RLE", MEND)
    found = annotation["segmentation"]
    if not isinstance(found, Segmentation):
        found = examine(found)
    if found.fault:
        fail(file, where, f"segmentation: {found.fault}", MEND)
    if found.size and found.size != size:
        fail(
            file,
            where,
            f"segmentation: an RLE of size {found.size} found, expected its image's "
            f"[height, width] {size}",
            MEND,
        )
    return found


def _id(file: Path, where: str, entry: dict, key: str) -> int:
    value = entry.get(key)
    if type(value) is not int:
        what = f"{key} {value!r:.60} found, expected a whole number"
        fail(file, where, what, "correct it")
    if value not in IDS:
        what = f"{key} {value} found, expected one that 64 bits hold"
        fail(file, where, what, "renumber it")
    return value


def _finite(value: object) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _encodable(text: str) -> bool:
    """Whether text can be written as UTF-8: JSON can hold halves of a character."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
