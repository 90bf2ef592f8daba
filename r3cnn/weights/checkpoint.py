"""Checkpoints of tensors and plain types only, written whole or not at all."""

import io
import logging
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from ..core.errors import UserError
from ..core.files import remove_leftovers, replacing, sha256_of

log = logging.getLogger(__name__)
KEEP = 2
# What decoding raises on bytes that are not those that were written. An OSError says nothing of the bytes.
UNDECODABLE = (
    *(RuntimeError, EOFError, KeyError, ValueError, IndexError, TypeError, AttributeError),
    *(struct.error, zlib.error, zipfile.BadZipFile),
)

# mmengine, which reads backbone weights, would fall back to unpickling whatever a file holds
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)


class BrokenCheckpoint(UserError):
    """A file whose bytes were read, and are no checkpoint: a checksum differs, or they cannot be decoded."""


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint to a temporary name, flush it, rename it; the same content gives the same bytes."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            if isinstance(
                error.__context__, OSError
            ):  # torch hides the disk's error behind its own
                raise error.__context__ from None
            raise


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint of this project. Raises UserError where it is missing, foreign or cannot be read.

    BrokenCheckpoint only where the bytes themselves are at fault, and another attempt would find the same.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        _require_whole(data)
        content = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint; train it first") from None
    except (OSError, MemoryError) as error:
        raise _unreadable(path, error) from error
    except pickle.UnpicklingError as error:
        raise BrokenCheckpoint(
            f"{path}: not a checkpoint of tensors and plain types ({_first_line(error)}); use one that "
            "`python -m r3cnn train` wrote, or convert one whose origin you trust: "
            f"`python -m r3cnn convert --trust --sha256 {sha256_of(path)} {path} OUT`"
        ) from error
    except UNDECODABLE as error:
        if "memory" in str(error):  # torch has no other name for it
            raise _unreadable(path, error) from error
        raise BrokenCheckpoint(
            f"{path}: truncated or corrupt ({_first_line(error)}), expected a whole checkpoint; "
            "train it again"
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: holds a {type(content).__name__}, expected a dictionary of tensors; "
            "use a checkpoint that `python -m r3cnn train` wrote"
        )
    return content


def _unreadable(path: Path, error: Exception) -> UserError:
    """The disk, the network or the memory failed, and may work again: the file says nothing of itself."""
    reason = getattr(error, "strerror", None) or _first_line(error)
    remedy = "see to the disk, the network or the memory"
    if isinstance(error, PermissionError):
        remedy = "give yourself the permission to read it"
    return UserError(
        f"{path}: cannot be read ({reason}); {remedy}, then run the same command again: "
        "the file is unchanged"
    )


def _require_whole(data: bytes) -> None:
    """Compare the checksums that torch writes and does not read; older formats have none."""
    if data[:2] != b"PK":
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        bad = archive.testzip()
    if bad:
        raise zipfile.BadZipFile(f"checksum of {bad} differs")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def path_of_step(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"step_{step:08d}.pth"


def save_step(folder: Path, step: int, content: dict[str, Any]) -> None:
    """Write the checkpoint of a step and remove all but the newest two."""
    save(path_of_step(folder, step), content)
    for old in sorted(folder.glob("step_*.pth"))[:-KEEP]:
        old.unlink()


def load_newest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint; broken ones are set aside with a message. None without any.

    For the folder's only writer: what a killed writer left half-written is removed. Raises UserError where
    the folder or a file cannot be read, with all files left as they are.
    """
    paths = _steps(folder)
    remove_leftovers(folder)
    for path in paths:
        try:
            return load(path)
        except BrokenCheckpoint as error:
            aside = path.with_suffix(".broken")
            path.rename(aside)
            log.warning("%s; set aside as %s, the one before is used", error, aside.name)
    if paths:
        log.warning("%s: no readable checkpoint is left, the training starts from scratch", folder)
    return None


def _steps(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the newest first; none where it is not there. Raises UserError."""
    try:
        names = os.listdir(folder)  # a glob finds nothing in a folder that it may not read
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error
    found = [name for name in names if name.startswith("step_") and name.endswith(".pth")]
    return [folder / name for name in sorted(found, reverse=True)]
