"""Scoring and resampling against pycocotools, on made-up detections."""

import functools

import numpy as np

from ..bootstrap import RESAMPLES, draw, resampled_metrics
from ..matching import matches
from ..score import hotcoco_metrics, pycocotools_metrics, require_equal
from .made_up import scene
from .timing import in_turn, row

KINDS = ("bbox", "segm")
SIZE = {"images": 5000, "objects": 36_000, "detections": 100}


@functools.lru_cache(maxsize=1)
def _made(**size: int) -> tuple:
    return scene(**size, seed=0)


def score(rounds: int = 2, **size: int) -> dict:
    """All 24 metrics from the table of predictions; both ways must agree to 1e-12."""
    truth, table = _made(**(size or SIZE))
    results: dict[str, dict] = {}

    def by(name: str, way) -> None:
        results[name] = {kind: way(truth, table, kind) for kind in KINDS}

    ways = {
        "hotcoco": lambda: by("hotcoco", hotcoco_metrics),
        "pycocotools": lambda: by("pycocotools", pycocotools_metrics),
    }
    times = in_turn(ways, rounds, warm_up=False)
    for kind in KINDS:
        require_equal(results["hotcoco"][kind], results["pycocotools"][kind], kind, "pycocotools")
    return row(_what("scoring", **(size or SIZE)), "pycocotools", times, aim=0.1)


def bootstrap(rounds: int = 2, resamples: int = RESAMPLES, **size: int) -> dict:
    """Matching, then every resample, boxes and masks, over one pycocotools evaluation of both."""
    truth, table = _made(**(size or SIZE))
    weights = draw(len(truth["images"]), resamples)
    once = np.ones((len(truth["images"]), 1), dtype=np.int32)

    def resample() -> None:
        for kind in KINDS:
            found = matches(truth, table, kind)
            resampled_metrics(found, once)  # `score` compares this with the metrics
            resampled_metrics(found, weights)

    def evaluate() -> None:
        for kind in KINDS:
            pycocotools_metrics(truth, table, kind)

    times = in_turn({"resamples": resample, "pycocotools": evaluate}, rounds, warm_up=False)
    what = _what(f"{resamples} resamples, matching included,", **(size or SIZE))
    return row(what, "one pycocotools evaluation", times, aim=1.0)


def _what(what: str, images: int, objects: int, detections: int) -> str:
    return f"{what} {images} images, {objects} objects, {detections} detections an image"
