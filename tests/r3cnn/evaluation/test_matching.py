"""Matches, and metrics, of made-up detections against pycocotools' own."""

import contextlib
import io

import numpy as np
import pyarrow as pa
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from r3cnn.bench.made_up import scene
from r3cnn.core.errors import UserError
from r3cnn.core.records import METRICS
from r3cnn.evaluation import metrics
from r3cnn.evaluation.matching import matches
from tests.r3cnn.reference import matches_of, summarised


def few_kinds(images: int, objects: int, detections: int, seed: int) -> tuple[dict, pa.Table]:
    """A scene of three categories, more crowds, many equal scores, areas on the limits; one image and one
    category have nothing."""
    truth, table = scene(images, objects, detections, seed)
    truth["categories"] = truth["categories"][:4]
    truth["images"].append({"id": images + 7, "width": 640, "height": 480})
    for one in truth["annotations"]:
        one["category_id"] = one["category_id"] % 3 + 1
    noise = np.random.default_rng(seed)
    for one in truth["annotations"][:: max(objects // 10, 1)]:
        one["iscrowd"] = int(noise.random() < 0.7)
    for number, one in enumerate(truth["annotations"][::5]):
        one["area"] = (32**2, 96**2)[number % 2]  # on the limit it is of both sizes
    columns = {name: table.column(name) for name in table.column_names}
    columns["category_id"] = pa.array(columns["category_id"].to_numpy() % 3 + 1)
    for name in ("score", "mask_score"):
        columns[name] = pa.array(np.round(columns[name].to_numpy(), 1).astype(np.float32))
    return truth, pa.table(columns, schema=table.schema)


def pycocotools(truth: dict, table: pa.Table, kind: str) -> COCOeval:
    made = COCO()
    made.dataset = truth
    with contextlib.redirect_stdout(io.StringIO()):
        made.createIndex()
        run = COCOeval(made, metrics.detections(made, table, kind), kind)
        run.evaluate()
    return run


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("seed", range(3))
def test_they_are_pycocotools(kind, seed):
    truth, table = few_kinds(15, 90, 120, seed)
    run = pycocotools(truth, table, kind)
    found = matches(truth, table, kind)
    assert len(found) == 4
    for ours, theirs in zip(found, matches_of(run), strict=True):
        for name in ("image", "rank", "hit", "ignored", "positives"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
    assert sum(one.hit.sum() for one in found) > 100
    assert sum(one.ignored[0].sum() for one in found) > 5  # matched with a crowd
    assert max(one.rank.max(initial=0) for one in found) > 20


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_all_metrics_of_a_larger_scene(kind):
    truth, table = scene(60, 430, 100, 0)
    expected = summarised(pycocotools(truth, table, kind))
    metrics.require_equal(
        metrics.hotcoco_metrics(truth, table, kind), expected, kind, "pycocotools"
    )
    metrics.require_equal(
        metrics.pycocotools_metrics(truth, table, kind), expected, kind, "pycocotools"
    )
    assert 0.2 < expected["AP"] < 0.8


def test_a_disagreement_is_an_error():
    found = dict.fromkeys(METRICS, 0.5)
    metrics.require_equal(found, found | {"AP75": 0.5 + 1e-13}, "bbox", "pycocotools")
    for other in (0.5 + 1e-11, None):
        with pytest.raises(UserError, match=r"^bbox AP75: hotcoco gives 0\.5, pycocotools "):
            metrics.require_equal(found, found | {"AP75": other}, "bbox", "pycocotools")


def test_a_scene_is_as_large_as_asked_for_and_the_same_each_time():
    truth, table = scene(5, 30, 100, 3)
    assert (len(truth["images"]), len(truth["annotations"]), len(table)) == (5, 30, 500)
    again = scene(5, 30, 100, 3)
    assert again[0] == truth
    assert again[1].equals(table)
    assert not scene(5, 30, 100, 4)[1].equals(table)
