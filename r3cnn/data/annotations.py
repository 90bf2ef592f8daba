"""Read a COCO annotation file without holding its polygons in memory."""

import hashlib
import json
import logging
from pathlib import Path

from ..core.errors import UserError
from .segmentation import examine

logger = logging.getLogger(__name__)

SECTIONS = ("images", "annotations", "categories")


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
    except (
        RecursionError,
        ValueError,
    ) as error:  # lists in lists without end, a number of 5000 digits
        raise UserError(
            f"{path}: JSON that cannot be read ({error}), expected an instances file of COCO 2017's "
            "format; write it again"
        ) from error


def _keep_verdict(entry: dict) -> dict:
    """Replace a segmentation as soon as it is parsed: COCO's polygons would fill gigabytes."""
    if "segmentation" in entry:
        entry["segmentation"] = examine(entry["segmentation"])
    return entry
