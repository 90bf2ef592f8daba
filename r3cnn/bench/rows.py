"""The rows of the table by name. A module is imported when its row is measured, so that --help answers at once."""

import logging
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from .table import LeftOut, add, read, render

log = logging.getLogger(__name__)


def _row(module: str, function: str, *given: object) -> Callable[[], dict]:
    """The measurement of a row: a function of a module in this folder, imported when it is called."""

    def measured() -> dict:
        return getattr(import_module(f".{module}", __package__), function)(*given)

    return measured


ROWS: dict[str, Callable[[], dict]] = {
    "train-naive": _row("train_step", "naive"),
    "train-counting": _row("train_step", "counting"),
    "counting-lists": _row("train_step", "host_lists"),
    "operators-mask": _row("operators", "train", "mask_1x", 1.1),
    "operators-naive": _row("operators", "train", "r3_naive_inc", 1.1),
    "operators-dcn": _row("operators", "train", "dcn", 2.0),
    "predict-nested": _row("nested", "in_one_pass", 1333, 800, 2),  # rounds of minutes
    "predict-nested-256": _row("nested", "in_one_pass", 256, 256),
    "predict-advanced": _row("advanced", "predict"),
    "train-advanced": _row("advanced", "train"),
    "layer-advanced": _row("advanced", "one_layer"),
    "predict-host": _row("encoding", "host"),
    "score": _row("scoring", "score"),
    "bootstrap": _row("scoring", "bootstrap"),
}


def measure(names: Iterable[str], out: Path) -> str:
    """Measure the rows, each written as soon as it is there; the whole file as a table, and what was left out."""
    content, left_out = read(out), []
    for name in names:
        log.info("measuring %s", name)
        try:
            content = add(out, {name: ROWS[name]()})
        except LeftOut as reason:
            left_out.append(f"{name:20} left out: {reason}")
    return "\n".join([render(content), *left_out])
