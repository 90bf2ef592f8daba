"""Which head runs in which loop, and the signal that tells a head its loop.

Shapes: R RoIs, C channels and p x p pixels of a RoI's features, L training loops, H heads.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn


def heads_of_loops(heads: Sequence[int] | None, training_loops: int) -> tuple[int, ...]:
    """One head index a loop: one head for all loops where `heads` is not given.

    Evaluation may name more loops than training. Raises ValueError unless the training loops use every head
    0..H-1: a head that they skip would never train.
    """
    if heads is None:
        return (0,) * training_loops
    found = tuple(heads)
    trained = sorted(set(found[:training_loops]))
    whole = all(isinstance(head, int) and not isinstance(head, bool) for head in found)
    if not whole or len(found) < training_loops or trained != list(range(max(found) + 1)):
        raise ValueError(
            f"heads: {list(found)} for {training_loops} training loops; give one head for each loop, "
            "numbered from 0, and use each head in training, such as [0, 0, 1]"
        )
    return found


def build_heads(config: dict | Sequence[dict], count: int, name: str) -> nn.Module:
    """Build one head, or a list of `count` heads: each from its own config, or all from one config.

    A single head stands by itself, so its weights keep their names. Raises ValueError where the number of
    configs is not `count`.
    """
    several = isinstance(config, list | tuple)
    configs: list[Any] = list(config) if several else [config] * count
    if len(configs) != count:
        raise ValueError(
            f"{name}: {len(configs)} configs for {count} heads; give one for each, or one for all"
        )
    if count == 1:
        return MODELS.build(configs[0])
    return nn.ModuleList(MODELS.build(one) for one in configs)


def head_of_loop(built: nn.Module, heads: Sequence[int], loop: int) -> nn.Module:
    """The head that runs in a loop, counted from 0; loops beyond those in `heads` use the last head named."""
    if not isinstance(built, nn.ModuleList):
        return built
    return built[heads[min(loop, len(heads) - 1)]]


class LoopSignal(nn.Module):
    """Tells a head its loop by its features: a learned scale and shift, or the shift alone, for each loop.

    (R, C, p, p) -> (R, C, p, p). It starts as the identity; loops beyond L_t use that of the last one. A
    control that neither the paper nor its code has.
    """

    def __init__(self, loops: int, channels: int, scale: bool) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(loops, channels))
        self.scale = nn.Parameter(torch.ones(loops, channels)) if scale else None

    def forward(self, features: Tensor, loop: int) -> Tensor:
        """The features with the loop's scale and shift, one of each a channel."""
        own = min(loop, len(self.shift) - 1)
        if self.scale is not None:
            features = features * self.scale[own, :, None, None]
        return features + self.shift[own, :, None, None]


def loop_signals(
    kind: str | None, loops: int, box_channels: int, mask_channels: int
) -> tuple[LoopSignal | None, LoopSignal | None]:
    """The signals of box and mask heads: `shift` for both, `scale_and_shift` for the box heads alone.

    Nothing where no signal is asked for, so that no weight is added. Raises ValueError for another kind.
    """
    if kind is None:
        return None, None
    if kind == "shift":
        return LoopSignal(loops, box_channels, False), LoopSignal(loops, mask_channels, False)
    if kind == "scale_and_shift":
        return LoopSignal(loops, box_channels, True), None
    raise ValueError(f"loop_signal: {kind!r}; expected shift, scale_and_shift or nothing")
