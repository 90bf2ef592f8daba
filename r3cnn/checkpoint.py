"""Checkpoints: tensors and plain types only, whole or not there."""

import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from .errors import UserError
from .files import replacing

log = logging.getLogger(__name__)
KEEP = 2


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint to a temporary name, flush it, rename it."""
    with replacing(path) as temporary:
        torch.save(content, temporary)


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint of this project. Raises UserError where it is missing, broken or foreign."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such checkpoint; train it first")
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: not a checkpoint of tensors and plain types ({str(error).splitlines()[0]}); "
            "use one that `python -m r3cnn train` wrote"
        ) from error
    except (RuntimeError, EOFError, OSError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: truncated or corrupt ({reason}); train it again") from error


def save_step(folder: Path, step: int, content: dict[str, Any]) -> None:
    """Write the checkpoint of a step and remove all but the newest two."""
    save(folder / f"step_{step:08d}.pth", content)
    for old in sorted(folder.glob("step_*.pth"))[:-KEEP]:
        old.unlink()


def load_newest(folder: Path) -> dict[str, Any] | None:
    """The newest readable checkpoint; broken ones are set aside with a message. None without any."""
    for path in sorted(folder.glob("step_*.pth"), reverse=True):
        try:
            return load(path)
        except UserError as error:
            aside = path.with_suffix(".broken")
            path.rename(aside)
            log.warning("%s; set aside as %s, the one before is used", error, aside.name)
    return None
