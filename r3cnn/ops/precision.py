"""The types that operators compute in: at least float32, under autocast too.

A half type would misplace RoIs and offsets (bfloat16 counts pixels to 256 only). The results are rounded once,
to the type of the tensor that mmcv allots for them.
"""

import functools
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


def widened(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors in one floating type: the widest of theirs and float32; those that have it are not copied."""
    types = (tensor.dtype for tensor in tensors)
    widest = functools.reduce(torch.promote_types, types, torch.float32)
    return tuple(tensor.to(widest) for tensor in tensors)


def without_autocast(function: Callable[..., Result]) -> Callable[..., Result]:
    """A function whose matrix products keep their type, as those of a compiled operator do.

    Its first argument is a tensor, and tells the device.
    """

    @functools.wraps(function)
    def run(first: Tensor, *args: object, **kwargs: object) -> Result:
        with torch.autocast(first.device.type, enabled=False):
            return function(first, *args, **kwargs)

    return run
