"""The rows of the table by name. Each import stands where it is needed, so that --help answers at once."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from .table import add, read, render

log = logging.getLogger(__name__)


def _train_naive() -> dict:
    from .train_step import naive

    return naive()


def _train_counting() -> dict:
    from .train_step import counting

    return counting()


def _counting_lists() -> dict:
    from .train_step import host_lists

    return host_lists()


def _nested_large() -> dict:
    from .nested import in_one_pass

    return in_one_pass(1333, 800)


def _nested_small() -> dict:
    from .nested import in_one_pass

    return in_one_pass(256, 256)


def _advanced_predict() -> dict:
    from .advanced import predict

    return predict()


def _advanced_train() -> dict:
    from .advanced import train

    return train()


def _advanced_layer() -> dict:
    from .advanced import one_layer

    return one_layer()


def _score() -> dict:
    from .scoring import score

    return score()


def _bootstrap() -> dict:
    from .scoring import bootstrap

    return bootstrap()


ROWS: dict[str, Callable[[], dict]] = {
    "train-naive": _train_naive,
    "train-counting": _train_counting,
    "counting-lists": _counting_lists,
    "predict-nested": _nested_large,
    "predict-nested-256": _nested_small,
    "predict-advanced": _advanced_predict,
    "train-advanced": _advanced_train,
    "layer-advanced": _advanced_layer,
    "score": _score,
    "bootstrap": _bootstrap,
}


def measure(names: Iterable[str], out: Path) -> str:
    """Measure the rows, each written as soon as it is there; the whole file as a table."""
    content = read(out)
    for name in names:
        log.info("measuring %s", name)
        content = add(out, {name: ROWS[name]()})
    return render(content)
