"""Scoring and resampling against pycocotools, on made-up detections."""

import copy
import functools
import statistics
from collections.abc import Callable

import numpy as np

from ..core.records import KINDS
from ..evaluation.bootstrap import RESAMPLES, draw, resampled_metrics
from ..evaluation.matching import matches
from ..evaluation.metrics import hotcoco_metrics, pycocotools_metrics, require_equal
from .made_up import scene
from .timing import in_turn, row

SIZE = {"images": 5000, "objects": 36_000, "detections": 100}


def score(rounds: int = 2, **size: int) -> dict:
    """All 24 metrics from the table of predictions; both ways agree to 1e-12.

    Beside them all that the command `score` computes: the metrics, the matches that check them, resamples.
    """
    times = _times(rounds, RESAMPLES, **(size or SIZE))
    chosen = {name: times[name] for name in ("hotcoco", "pycocotools")}
    result = row(_what("scoring", **(size or SIZE)), "pycocotools", chosen, aim=0.1)
    own, resamples, other = (statistics.median(of["seconds"]) for of in times.values())
    return result | {
        "seconds_of_all_that_score_computes": own + resamples,
        "all_that_score_computes_over_pycocotools": (own + resamples) / other,
    }


def bootstrap(rounds: int = 2, resamples: int = RESAMPLES, **size: int) -> dict:
    """Matching, then every resample, boxes and masks, over one pycocotools evaluation of both."""
    times = _times(rounds, resamples, **(size or SIZE))
    chosen = {name: times[name] for name in ("resamples", "pycocotools")}
    what = _what(f"{resamples} resamples, matching included,", **(size or SIZE))
    return row(what, "one pycocotools evaluation", chosen, aim=1.0)


@functools.lru_cache(maxsize=2)
def _times(rounds: int, resamples: int, **size: int) -> dict:
    """All three in turn, once for both rows. Raises UserError where two disagree."""
    made_up, table = scene(**size, seed=0)
    weights = draw(len(made_up["images"]), resamples)
    once = np.ones((len(made_up["images"]), 1), dtype=np.int32)
    truth: dict[str, list] = {}
    found: dict[str, dict] = {}

    def anew() -> None:  # pycocotools turns the polygons of its truth into run lengths
        truth.update(copy.deepcopy(made_up))

    def by(name: str, way: Callable) -> None:
        found[name] = {kind: way(truth, table, kind) for kind in KINDS}

    def resample() -> None:
        for kind in KINDS:
            matched = matches(truth, table, kind)
            resampled_metrics(matched, once)  # `score` compares this with the metrics
            resampled_metrics(matched, weights)

    ways = {
        "hotcoco": lambda: by("hotcoco", hotcoco_metrics),
        "resamples": resample,
        "pycocotools": lambda: by("pycocotools", pycocotools_metrics),
    }
    times = in_turn(ways, rounds, warm_up=False, prepare=anew)
    for kind in KINDS:
        require_equal(found["hotcoco"][kind], found["pycocotools"][kind], kind, "pycocotools")
    return times


def _what(what: str, images: int, objects: int, detections: int) -> str:
    return f"{what} {images} images, {objects} objects, {detections} detections an image"
