"""Losses, gradients and weights must be finite: a training stops before it keeps anything else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor, nn

from ..core.errors import UserError

SHOWN = 5


@dataclass(frozen=True)
class Pass:
    """One pass of a step: the ids of its images, and its loss terms (0-d, on the device)."""

    images: list[int]
    terms: Mapping[str, Tensor]


def norm(model: nn.Module) -> Tensor:
    """The gradients' norm (0-d, on their device): not finite where one of them is not."""
    return nn.utils.get_total_norm([w.grad for w in model.parameters() if w.grad is not None])


def stop(
    where: Path, iteration: int, passes: Sequence[Pass], model: nn.Module, processes: Sequence[int]
) -> NoReturn:
    """Raise UserError with what is NaN or infinite here, else with the processes where something is."""
    for one in passes:
        require_finite_losses(where, iteration, one.images, one.terms)
    require_finite_gradients(where, iteration, [i for one in passes for i in one.images], model)
    _stop(where, iteration, (), [f"losses of process {rank}" for rank in processes])


def require_finite_losses(
    where: Path, iteration: int, images: Sequence[int], terms: Mapping[str, Tensor]
) -> None:
    """Raise UserError with the terms of a pass that are NaN or infinite, where their sum is."""
    if torch.isfinite(terms["loss"]):
        return
    bad = [f"{name} {value.item()}" for name, value in terms.items() if not torch.isfinite(value)]
    _stop(where, iteration, images, bad)


def require_finite_gradients(
    where: Path, iteration: int, images: Sequence[int], model: nn.Module
) -> None:
    """Raise UserError with the parameters whose gradients are NaN or infinite, before they are used."""
    if torch.isfinite(norm(model)):
        return
    found = {
        name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None
    }
    bad = _not_finite(found.items()) or ["the gradients' norm"]
    _stop(where, iteration, images, [f"gradient of {name}" for name in bad])


def require_finite_weights(where: Path, iteration: int, state: Mapping[str, Tensor]) -> None:
    """Raise UserError where weights or statistics are NaN or infinite: they are no result."""
    bad = _not_finite(state.items())
    if bad:
        _stop(where, iteration, (), bad)


def _not_finite(tensors: Iterable[tuple[str, Tensor]]) -> list[str]:
    return [name for name, value in tensors if not torch.isfinite(value).all()]


def _stop(where: Path, iteration: int, images: Sequence[int], bad: Sequence[str]) -> None:
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    of = f", images {list(images)}" if images else ""
    raise UserError(
        f"{where}: iteration {iteration}{of}: {', '.join(bad[:SHOWN])}{more} not finite; the checkpoint "
        "before it is kept; look at these images' annotations, or lower `lr` in the scale"
    )
