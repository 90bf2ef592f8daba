"""Which checkpoint a training resumes from, and whether it is its own."""

from pathlib import Path

import torch
from mmengine import dist
from torch import Tensor, nn

from ..core.errors import UserError
from ..weights import checkpoint


def newest_checkpoint(folder: Path) -> dict | None:
    """The same one in all processes: the first chooses, and sets broken ones aside."""
    found = checkpoint.load_newest(folder) if dist.get_rank() == 0 else None
    chosen = [found and found["step"]]
    dist.broadcast_object_list(chosen)
    if dist.get_rank() > 0 and chosen[0] is not None:
        found = checkpoint.load(checkpoint.path_of_step(folder, chosen[0]))
    return found


def require_own(found: dict, state: Path, detector: nn.Module, batch: int) -> None:
    """Raise UserError for a checkpoint of another network, or of another number of images a step."""
    anew = f"or remove {state} to train anew"
    if found["batch"] != batch:
        raise UserError(
            f"{state}: trained with {found['batch']} images per step so far, but this run has {batch} "
            f"on {dist.get_world_size()} processes; use the same number of processes as before, {anew}"
        )
    mine, theirs = (_shapes(weights) for weights in (detector.state_dict(), found["state_dict"]))
    if mine != theirs:
        differing = sorted(name for name, _ in mine.items() ^ theirs.items())
        raise UserError(
            f"{state}: its checkpoint is of another network than this config now builds "
            f"({differing[0]} differs); go back to the sources that trained it, {anew}"
        )


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}
