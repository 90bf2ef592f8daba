"""Rows of mmcv's operators: a training step of `mini` in plain PyTorch over the same step with compiled ones."""

import importlib
from collections.abc import Callable
from types import ModuleType

from ..ops import plain
from ..ops.backend import GET, is_compiled
from ..ops.finder import COMPILED
from .models import Images, Step, config
from .table import LeftOut
from .timing import in_turn, row

# the modules of mmcv that call an operator of r3cnn/ops
USERS = ("roi_align", "nms", "deform_conv", "modulated_deform_conv")


def train(
    id_: str,
    aim: float,
    rounds: int = 15,
    images: Images | None = None,
    scale: str = "mini",
) -> dict:
    """A step with plain PyTorch over one with compiled operators. Raises LeftOut if there are none."""
    if not is_compiled():
        raise LeftOut(f"no compiled operators; {GET[COMPILED]}")
    against = importlib.import_module("mmcv._ext")
    return compare(id_, against, "compiled operators", aim, rounds, images, scale)


def compare(
    id_: str,
    against: ModuleType,
    name: str,
    aim: float | None,
    rounds: int,
    images: Images | None = None,
    scale: str = "mini",
) -> dict:
    """The same step, same weights, images and draws, with plain PyTorch over one with another back end."""
    images = images or Images(128, 128, 4)
    step = Step(config(id_, images, scale))
    ways = {"plain": _with(plain, step), name: _with(against, step)}
    before = [user.ext_module for user in _users()]
    try:
        times = in_turn(ways, rounds)
    finally:
        for user, module in zip(_users(), before, strict=True):
            user.ext_module = module
    return row(f"training step, {id_}, operators in plain PyTorch", name, times, aim=aim)


def _with(operators: ModuleType, step: Step) -> Callable[[], None]:
    """The step on these operators."""

    def run() -> None:
        for user in _users():
            user.ext_module = operators
        step()

    return run


def _users() -> list[ModuleType]:
    return [importlib.import_module(f"mmcv.ops.{name}") for name in USERS]
