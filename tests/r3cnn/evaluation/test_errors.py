"""The errors of an evaluation: TIDE against a small implementation of its own, the rest against pycocotools."""

import contextlib
import io
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from pycocotools import mask as rle
from pycocotools.cocoeval import COCOeval

from r3cnn.core.records import CONFUSION_SCORE, CURVES_AT, IOU_PERCENT, TIDE, KindErrors
from r3cnn.evaluation.errors import class_names, what_went_wrong
from r3cnn.evaluation.metrics import hotcoco_run
from tests.r3cnn.evaluation.test_matching import few_kinds, pycocotools

HIT, BACKGROUND = 0.5, 0.1


def random_case(seed: int) -> tuple[dict, pa.Table]:
    """Objects and detections of three classes, of which a third is mistaken; no two scores are equal."""
    truth, table = few_kinds(12, 60, 40, seed)
    noise = np.random.default_rng(seed)
    columns = {name: table.column(name) for name in table.column_names}
    scores = noise.permutation(len(table)).astype(np.float32) / len(table)
    wrong = noise.random(len(table)) < 0.3
    classes = np.where(wrong, noise.integers(1, 4, len(table)), columns["category_id"].to_numpy())
    columns |= {
        "score": pa.array(scores),
        "mask_score": pa.array(scores),
        "category_id": pa.array(classes),
    }
    return truth, pa.table(columns, schema=table.schema)


def average_precision(points: list[tuple[float, bool]], objects: int) -> float:
    """Of (score, hit), as COCO takes it: precision at 101 recalls."""
    if not objects:
        return np.nan
    hits = np.array([hit for _, hit in sorted(points, key=lambda point: -point[0])], dtype=bool)
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    recall = found / objects
    best = [precision[recall >= level].max(initial=0) for level in np.linspace(0, 1, 101)]
    return float(np.mean(best))


@dataclass
class Mistake:
    """A detection that matches nothing; near: the object that it would have, but for its box or its class."""

    kind: str
    category: int
    score: float
    near: int | None


class Matched:
    """COCO's matches at IoU 0.5, all sizes: hits of each class as (score, True), and the mistakes."""

    def __init__(self, run: COCOeval) -> None:
        self.run = run
        annotations = run.cocoGt.dataset["annotations"]
        self.truth = {g["id"]: g for g in annotations if not g["iscrowd"]}
        self.objects = {
            c: sum(g["category_id"] == c for g in self.truth.values()) for c in run.params.catIds
        }
        self.hits: dict[int, list[tuple[float, bool]]] = {c: [] for c in run.params.catIds}
        self.mistakes: list[Mistake] = []
        everything = [one for one in run.evalImgs if one and one["aRng"] == run.params.areaRng[0]]
        pairs = [zip(one["gtIds"], one["gtMatches"][0], strict=True) for one in everything]
        self.used = {g for of_image in pairs for g, match in of_image if match}
        for one in everything:
            parts = (one["dtIds"], one["dtMatches"][0], one["dtIgnore"][0])
            for id_, match, ignored in zip(*parts, strict=True):
                found = run.cocoDt.anns[id_]
                if match and not ignored:
                    self.hits[one["category_id"]].append((found["score"], True))
                elif not ignored:
                    self.mistakes.append(self._mistake(found))

    def _mistake(self, found: dict) -> Mistake:
        iou = self._overlaps(found)
        category = found["category_id"]
        same = {g: v for g, v in iou.items() if self.truth[g]["category_id"] == category}
        other = {g: v for g, v in iou.items() if g not in same}
        near, far = max(same, key=same.get, default=None), max(other, key=other.get, default=None)
        if near is not None and BACKGROUND <= same[near] <= HIT:
            return Mistake("Loc", category, found["score"], near)
        if far is not None and other[far] >= HIT:
            return Mistake("Cls", category, found["score"], far)
        if any(v >= HIT and g in self.used for g, v in same.items()):
            return Mistake("Dupe", category, found["score"], None)
        kind = "Bkg" if max(iou.values(), default=0) <= BACKGROUND else "Both"
        return Mistake(kind, category, found["score"], None)

    def _overlaps(self, found: dict) -> dict[int, float]:
        """IoU with each object of the image."""
        segm = self.run.params.iouType == "segm"
        there = [g for g in self.truth.values() if g["image_id"] == found["image_id"]]
        shape = self.run.cocoGt.annToRLE if segm else lambda one: one["bbox"]
        own = found["segmentation"] if segm else found["bbox"]
        ious = rle.iou([own], [shape(g) for g in there], [0] * len(there)) if there else [[]]
        return {g["id"]: float(v) for g, v in zip(there, np.ravel(ious), strict=True)}


def tide(run: COCOeval) -> tuple[float, dict[str, float], dict[str, int]]:
    """TIDE as its paper has it, on COCO's matches: AP50, gains, counts. Bolya et al., ECCV 2020, section 2."""
    matched = Matched(run)
    mistakes, used = matched.mistakes, matched.used
    targets = {one.near for one in mistakes if one.near is not None} - used
    missed = [g for g in matched.truth if g not in used and g not in targets]
    best: dict[int, float] = {}
    for one in mistakes:
        if one.near in targets:
            best[one.near] = max(best.get(one.near, -1), one.score)

    def mean_ap(fixed: str = "") -> float:
        """With the mistakes of a kind mended."""
        points = {c: list(found) for c, found in matched.hits.items()}
        for one in mistakes:
            if one.kind != fixed:
                points[one.category].append((one.score, False))
            elif one.near in targets and best[one.near] == one.score:
                points[matched.truth[one.near]["category_id"]].append((one.score, True))
        left = dict(matched.objects)
        for g in missed if fixed == "Miss" else ():
            left[matched.truth[g]["category_id"]] -= 1
        # a class all of whose objects were missed has nothing left to be found
        there = [c for c, count in matched.objects.items() if count]
        return float(
            np.mean([average_precision(points[c], left[c]) if left[c] else 0 for c in there])
        )

    counts = {kind: sum(one.kind == kind for one in mistakes) for kind in TIDE}
    counts["Miss"] = len(missed)
    return mean_ap(), {kind: mean_ap(kind) - mean_ap() for kind in TIDE}, counts


def errors(truth: dict, table: pa.Table, kind: str) -> KindErrors:
    return what_went_wrong(hotcoco_run(truth, table, kind), truth, table, kind)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("seed", range(3))
def test_tide_is_tide(kind: str, seed: int) -> None:
    truth, table = random_case(seed)
    found = errors(truth, table, kind)["tide"]
    base, gains, counts = tide(pycocotools(truth, table, kind))
    assert found["count"] == counts
    assert found["AP50"] == pytest.approx(base, abs=1e-5)
    for name in TIDE:
        assert found["gain"][name] == pytest.approx(gains[name], abs=1e-5), name
    assert min(found["count"][name] for name in TIDE if name != "Miss") > 0


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_classes_and_curves_are_pycocotools(kind: str) -> None:
    truth, table = random_case(0)
    truth["categories"].reverse()  # whatever their order in the file, they are told by rising id
    found = errors(truth, table, kind)
    run = pycocotools(truth, table, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, -1]
    assert class_names(truth) == [f"kind {n}" for n in range(1, 5)]
    for k, of_class in enumerate(found["classes"]):
        own = precision[:, :, k]
        expected = [None] * 3 if (own == -1).all() else [own.mean(), own[0].mean(), own[5].mean()]
        assert [of_class[name] for name in ("AP", "AP50", "AP75")] == pytest.approx(
            expected, abs=1e-6
        )
    assert found["classes"][3]["AP"] is None
    for percent in CURVES_AT:
        own = precision[IOU_PERCENT.index(percent), :, :3].mean(axis=1)
        assert found["precision"][str(percent)] == pytest.approx(own, abs=1e-6)


def test_confusions_and_calibration_of_a_case_counted_by_hand() -> None:
    """Two objects of class 1, one of class 2; a hit, a mistaken class, a box on nothing, and one of low score."""
    boxes = {1: [0, 0, 20, 20], 2: [100, 0, 20, 20], 3: [200, 0, 20, 20], 0: [300, 300, 20, 20]}
    truth, table = few_kinds(1, 3, 4, 0)
    shape = truth["annotations"][0]["segmentation"]
    truth["annotations"] = [
        {"id": n, "image_id": 1, "category_id": c, "bbox": boxes[n], "area": 400.0, "iscrowd": 0,
         "segmentation": shape}
        for n, c in ((1, 1), (2, 1), (3, 2))
    ]  # fmt: skip
    found = [(1, 1, 0.95), (2, 2, 0.85), (0, 3, 0.75), (3, 2, CONFUSION_SCORE / 2)]
    columns = {name: table.column(name) for name in table.column_names}
    columns["image_id"] = pa.array([1] * 4)
    columns["category_id"] = pa.array([c for _, c, _ in found])
    columns["score"] = pa.array(np.array([score for _, _, score in found], dtype=np.float32))
    for i, name in enumerate(("x", "y", "width", "height")):
        columns[name] = pa.array(np.array([boxes[n][i] for n, _, _ in found], dtype=np.float32))
    result = errors(truth, pa.table(columns, schema=table.schema), "bbox")
    # rows: the object's class (the last: none), columns: the detection's
    assert result["confusion"] == [
        [1, 1, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0],
    ]  # fmt: skip
    filled = [one for one in result["calibration"]["bins"] if one[2]]
    assert [(share, count) for _, share, count in filled] == [(1, 1), (0, 1), (0, 1), (1, 1)]
    gaps = [0.85, 0.75, 0.85, 0.05]
    assert result["calibration"]["expected"] == pytest.approx(np.mean(gaps), abs=1e-6)
    assert result["calibration"]["largest"] == pytest.approx(0.85, abs=1e-6)


def test_scores_below_0_have_no_calibration() -> None:
    """A Mask-IoU branch may predict an IoU below 0; all else is told as ever."""
    truth, table = random_case(0)
    columns = {name: table.column(name) for name in table.column_names}
    columns["mask_score"] = pa.array(columns["score"].to_numpy() - np.float32(0.1))
    below = pa.table(columns, schema=table.schema)
    assert errors(truth, below, "segm")["calibration"] is None
    assert errors(truth, below, "segm")["tide"] == errors(truth, table, "segm")["tide"]
    assert errors(truth, below, "bbox")["calibration"] is not None
