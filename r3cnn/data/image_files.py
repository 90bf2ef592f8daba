"""Find the image files that an annotation file lists, as mmdet does, and check their sizes."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from ..core.errors import UserError
from .content import fail, some
from .headers import header, size_fault

FETCH = "put the missing files there, or give the right folder"
LOOKED_AT = 500  # headers a split that are read: enough for what a tool did to all of them


def size_of_images(folder: Path, file: Path, images: list[dict]) -> int:
    """Bytes of the listed images, all of which must be there and not be empty. Raises UserError."""
    names = dict.fromkeys(image["file_name"] for image in images)
    sizes = _sizes(folder, names)
    missing = [name for name in names if name not in sizes]
    if missing:
        fail(
            folder,
            f"{len(missing)} of {len(names)} images of {file.name} missing",
            f"{some(missing)} not found, expected every file_name",
            _remedy(folder, missing[0]),
        )
    empty = [name for name in names if sizes[name] == 0]
    if empty:
        fail(folder, some(empty), "0 bytes found, expected an image", "fetch it again")
    return sum(sizes.values())


def require_sizes(folder: Path, images: Sequence[dict]) -> None:
    """Raise UserError where the header of an image says another size than its annotation; some are read."""
    for image in images[:: max(1, -(-len(images) // LOOKED_AT))]:
        path = folder / image["file_name"]
        expected = image["width"], image["height"]
        found = header(path)
        if found is None or not size_fault(path, found, expected):
            continue  # training names the files that are not images
        if not found.too_large:
            found = header(path, whole=True) or found
        if fault := size_fault(path, found, expected):
            raise UserError(fault)


def _sizes(folder: Path, names: dict[str, None]) -> dict[str, int]:
    """Bytes by file_name, of those that are files below the folder, in sub folders too."""
    wanted: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        where, _, last = os.path.join(folder, name).rpartition("/")
        wanted[where or "/"][last] = name
    sizes = {}
    for where, inside in wanted.items():
        for entry in _entries(where):
            if entry.name in inside and entry.is_file():
                sizes[inside[entry.name]] = entry.stat().st_size
    # a name may stand there in two spellings, such as a.png and ./a.png
    for name in names:
        if name not in sizes and os.path.isfile(path := os.path.join(folder, name)):
            sizes[name] = os.path.getsize(path)
    return sizes


def _entries(folder: str) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be read ({error.strerror}); check its permissions and its disk"
        ) from error


def _remedy(folder: Path, name: str) -> str:
    """What to do about a file that is not there: it may be there under a name that looks like it."""
    path = folder / name
    there = [entry.name for entry in _entries(str(path.parent))]
    composed = unicodedata.normalize("NFC", path.name)
    for other in there:
        if unicodedata.normalize("NFC", other) == composed:
            form = "NFD" if unicodedata.is_normalized("NFD", other) else "NFC"
            return (
                f"{other} is there in another Unicode form ({form}, as macOS or its archives write it): "
                "rename the files to the form of the annotations"
            )
    for other in there:
        if unicodedata.normalize("NFC", other).casefold() == composed.casefold():
            return f"{other} is there, which differs in upper and lower case only: rename the files"
    if unquote(path.name) in there:
        return f"{unquote(path.name)} is there: write the file_name without %-codes"
    plain = Path(name.replace("\\", "/"))
    if plain.name != name:
        if (folder / plain).is_file():
            return f"{plain} is there: write the file_name with / between folders"
        if (folder / plain.name).is_file():
            return (
                f"{plain.name} is in the folder itself: write the file_name without {plain.parent}/"
            )
    return FETCH
