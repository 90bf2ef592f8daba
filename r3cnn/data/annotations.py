"""Reading of a COCO annotation file, without holding its polygons in memory."""

import hashlib
import json
import logging
import math
from pathlib import Path
from typing import NamedTuple

from ..core.errors import UserError

logger = logging.getLogger(__name__)

SECTIONS = ("images", "annotations", "categories")


class Segmentation(NamedTuple):
    """What is left of a segmentation: its fault, if any, and the [height, width] of an RLE."""

    fault: str | None = None
    size: list | None = None


SOUND = Segmentation()


def read(path: Path, whole: bool = False) -> tuple[dict, str]:
    """The content of an annotation file and the SHA-256 of its bytes.

    Unless it is wanted whole, every `segmentation` is a `Segmentation` in what is returned. Raises
    UserError where the file is no JSON object with the lists of COCO, each of objects.
    """
    content, digest = read_json(path, None if whole else _keep_verdict)
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: a JSON {type(content).__name__} found, expected an object with the keys "
            f"{', '.join(SECTIONS)}; use an instances file of COCO 2017's format"
        )
    for key in SECTIONS:
        if key not in content:
            raise UserError(
                f"{path}: {key}: the key is missing, expected a list; "
                "use an instances file of COCO 2017's format"
            )
        entries = content[key]
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise UserError(
                f"{path}: {key}: expected a list of objects; "
                "use an instances file of COCO 2017's format"
            )
    return content, digest


def read_json(path: Path, object_hook=None) -> tuple[object, str]:
    """A JSON file's content and the SHA-256 of its bytes; UserError where it is unreadable."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}), expected a JSON file; "
            "check the path and its permissions"
        ) from error
    logger.info("%s: parsing %.1f MB", path, len(data) / 1e6)
    digest = hashlib.sha256(data).hexdigest()
    try:
        text = data.decode("utf-8")
        del data
        return json.loads(text, object_hook=object_hook), digest
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8, expected JSON in UTF-8; "
            "convert the file's encoding, or fetch it again if it should be a plain COCO file"
        ) from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: line {error.lineno} column {error.colno}: invalid JSON ({error.msg}), "
            "expected one whole JSON object; the file may be cut off: fetch or write it again"
        ) from error


def _keep_verdict(entry: dict) -> dict:
    """Replace a segmentation as soon as it is parsed: COCO's polygons would fill gigabytes."""
    if "segmentation" in entry:
        entry["segmentation"] = examine(entry["segmentation"])
    return entry


def examine(segmentation: object) -> Segmentation:
    """Judge a COCO segmentation: a list of polygons, or an RLE with counts and size."""
    if isinstance(segmentation, dict):
        return _examine_run_lengths(segmentation)
    if not isinstance(segmentation, list):
        return Segmentation(f"{segmentation!r} found, expected polygons or an RLE")
    if not segmentation:
        return Segmentation("no polygon found, expected one at least")
    for polygon in segmentation:
        if not isinstance(polygon, list) or not _all_finite(polygon):
            return Segmentation("a polygon that is no list of finite numbers found")
        if len(polygon) < 6 or len(polygon) % 2:
            return Segmentation(
                f"a polygon of {len(polygon)} numbers found, expected an even count of 6 or more "
                "(x, y of 3 points at least)"
            )
    return SOUND


def _examine_run_lengths(rle: dict) -> Segmentation:
    size, counts = rle.get("size"), rle.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int for n in size):
        return Segmentation(f"an RLE of size {size!r} found, expected [height, width]")
    if isinstance(counts, str):
        return Segmentation(size=size)
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        return Segmentation("an RLE found whose counts are no list of whole numbers")
    if sum(counts) != size[0] * size[1]:
        return Segmentation(f"an RLE of {sum(counts)} pixels found, expected {size[0]} x {size[1]}")
    return Segmentation(size=size)


def _all_finite(values: list) -> bool:
    # A sum is quick over COCO's tens of millions of numbers, and not finite if one is not.
    try:
        return math.isfinite(sum(values))
    except TypeError:
        return False
