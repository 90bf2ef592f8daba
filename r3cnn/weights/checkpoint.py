"""Checkpoints: tensors and plain types only, whole or not there."""

import logging
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from ..core.errors import UserError
from ..core.files import remove_leftovers, replacing, sha256_of

log = logging.getLogger(__name__)
KEEP = 2

# mmengine, which reads backbone weights, would fall back to unpickling whatever a file holds
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)


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
    """Read a checkpoint of this project. Raises UserError where it is missing, broken or foreign."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; train it first")
    try:
        _require_whole(path)
        content = torch.load(path, map_location=device, weights_only=True)
    except PermissionError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); give yourself the permission to read it"
        ) from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: not a checkpoint of tensors and plain types ({_first_line(error)}); use one that "
            "`python -m r3cnn train` wrote, or convert one whose origin you trust: "
            f"`python -m r3cnn convert --trust --sha256 {sha256_of(path)} {path} OUT`"
        ) from error
    except (RuntimeError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: truncated or corrupt ({_first_line(error)}), expected a whole checkpoint; "
            "train it again"
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: holds a {type(content).__name__}, expected a dictionary of tensors; "
            "use a checkpoint that `python -m r3cnn train` wrote"
        )
    return content


def _require_whole(path: Path) -> None:
    """Compare the checksums that torch writes and does not read; older formats have none."""
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return
    with zipfile.ZipFile(path) as archive:
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
    """The newest readable checkpoint; broken ones are set aside with a message. None without any.

    For the folder's only writer: what a killed writer left half-written is removed.
    """
    remove_leftovers(folder)
    paths = sorted(folder.glob("step_*.pth"), reverse=True)
    for path in paths:
        try:
            return load(path)
        except UserError as error:
            aside = path.with_suffix(".broken")
            path.rename(aside)
            log.warning("%s; set aside as %s, the one before is used", error, aside.name)
    if paths:
        log.warning("%s: no readable checkpoint is left, the training starts anew", folder)
    return None
