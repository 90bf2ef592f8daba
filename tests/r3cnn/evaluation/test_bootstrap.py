"""The resampled metrics against pycocotools: without resampling, and with every image as often as drawn."""

import contextlib
import copy
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import r3cnn.evaluation.bootstrap as bootstrap
from r3cnn.core.records import AP_AT_IOU, METRICS, RESAMPLED
from r3cnn.evaluation.bootstrap import Matches, draw, resampled_metrics, write_resamples
from r3cnn.evaluation.score import score
from tests.r3cnn.reference import matches_of, summarised

SIZE = 200


def shapes(generator: np.random.Generator, images: int, categories: int) -> tuple[list, list]:
    """Objects and detections: crowds, ignored ones, ties of scores, images and categories with nothing."""
    objects, found = [], []
    for image in range(1, images + 1):
        for _ in range(generator.integers(0, 6)):
            category = int(generator.integers(1, categories + 1))
            side = float(generator.choice([10, 25, 60, 110]))
            x, y = (float(v) for v in generator.integers(0, int(SIZE - side), 2))
            crowd = int(generator.random() < 0.1)
            add(objects, image, category, [x, y, side, side], iscrowd=crowd)
            for _ in range(generator.integers(0, 4)):
                shift = generator.normal(0, side * 0.08, 4)
                box = np.clip(np.array([x, y, side, side]) + shift, 0, SIZE - 1).tolist()
                number = round(float(generator.random()), 1)  # many ties
                label = category if generator.random() < 0.8 else 1
                add(found, image, label, box, score=number)
    return objects, found


def add(items: list, image: int, category: int, box: list, **more) -> None:
    mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
    x, y, w, h = (round(v) for v in box)
    mask[y : y + max(h, 1), x : x + max(w, 1)] = 1
    code = rle.encode(np.asfortranarray(mask))
    items.append({
        "id": len(items) + 1, "image_id": image, "category_id": category, "bbox": box,
        "area": float(rle.area(code)), "segmentation": code, "iscrowd": 0, "ignore": 0, **more,
    })  # fmt: skip


def api(images: list[int], categories: int, annotations: list) -> COCO:
    made = COCO()
    made.dataset = {
        "info": {},
        "images": [
            {"id": i, "width": SIZE, "height": SIZE, "file_name": f"{i}.jpg"} for i in images
        ],
        "categories": [{"id": c, "name": str(c)} for c in range(1, categories + 1)],
        "annotations": copy.deepcopy(annotations),
    }
    with contextlib.redirect_stdout(io.StringIO()):
        made.createIndex()
    return made


def evaluated(
    objects: list, found: list, images: list[int], categories: int, kind: str
) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(api(images, categories, objects), api(images, categories, found), kind)
        run.evaluate()
    return run


def assert_equal(run: COCOeval, values: dict[str, np.ndarray], column: int) -> None:
    for name, expected in summarised(run).items():
        value = values[name][column]
        assert np.isnan(value) if expected is None else abs(value - expected) <= 1e-12, name


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("seed", range(3))
def test_unresampled_it_is_pycocotools(kind: str, seed: int) -> None:
    objects, found = shapes(np.random.default_rng(seed), 20, 4)
    run = evaluated(objects, found, list(range(1, 21)), 5, kind)  # category 5 has nothing
    values = resampled_metrics(matches_of(run), np.ones((20, 1), dtype=np.int32))
    assert 0 < values["AP"][0] < 1
    assert_equal(run, values, 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_resample_is_pycocotools_on_as_many_copies(seed: int) -> None:
    generator = np.random.default_rng(seed)
    objects, found = shapes(generator, 12, 3)
    for number, item in enumerate(found):  # copies of an image would order its own ties otherwise
        item["score"] = round(item["score"] + number * 1e-4, 4)
    weights = draw(12, 8, seed)
    values = resampled_metrics(
        matches_of(evaluated(objects, found, list(range(1, 13)), 3, "bbox")), weights
    )
    for column, times in enumerate(weights.T):
        copies = [(i + 1, k) for i, n in enumerate(times) for k in range(n)]
        numbered = {pair: number for number, pair in enumerate(copies, 1)}
        parts = []
        for items in (objects, found):
            several = [
                {**item, "image_id": numbered[item["image_id"], k]}
                for item in items
                for k in range(times[item["image_id"] - 1])
            ]
            parts.append([{**item, "id": n} for n, item in enumerate(several, 1)])
        assert_equal(evaluated(*parts, list(range(1, 13)), 3, "bbox"), values, column)


def test_images_are_drawn_with_their_multiplicities_and_the_same_for_every_model() -> None:
    weights = draw(50, 200)
    assert weights.shape == (50, 200)
    assert set(weights.sum(axis=0)) == {50}
    assert weights.max() > 2
    assert (weights == draw(50, 200)).all()
    assert (weights != draw(50, 200, seed=1)).any()


def test_parts_that_fit_in_memory_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    objects, found = shapes(np.random.default_rng(0), 12, 2)
    run = evaluated(objects, found, list(range(1, 13)), 2, "bbox")
    whole = resampled_metrics(matches_of(run), draw(12, 50))
    monkeypatch.setattr(bootstrap, "CELLS_AT_ONCE", 60)
    parts = resampled_metrics(matches_of(run), draw(12, 50))
    for name in RESAMPLED:
        np.testing.assert_array_equal(whole[name], parts[name])


def test_without_objects_or_detections() -> None:
    objects, found = shapes(np.random.default_rng(0), 5, 2)
    nothing = resampled_metrics(
        matches_of(evaluated([], found, [1, 2, 3, 4, 5], 2, "bbox")), draw(5, 10)
    )
    assert all(np.isnan(values).all() for values in nothing.values())
    blind = evaluated(objects, [], [1, 2, 3, 4, 5], 2, "bbox")
    values = resampled_metrics(matches_of(blind), np.ones((5, 1), dtype=np.int32))
    assert_equal(blind, values, 0)
    assert values["AP"][0] == 0


def test_score_writes_the_resamples_beside_the_score(tmp_path) -> None:
    objects, found = shapes(np.random.default_rng(1), 12, 3)
    truth = {**api(list(range(1, 13)), 3, []).dataset, "annotations": objects}
    for item in truth["annotations"]:
        item["segmentation"] = {
            **item["segmentation"], "counts": item["segmentation"]["counts"].decode()
        }  # fmt: skip
    (tmp_path / "val.json").write_text(json.dumps(truth))
    columns = {
        "loops": [3] * len(found),
        "image_id": [item["image_id"] for item in found],
        "category_id": [item["category_id"] for item in found],
        "score": np.array([item["score"] for item in found], dtype=np.float32),
        "mask_score": np.array([item["score"] for item in found], dtype=np.float32),
        **{name: np.array([item["bbox"][i] for item in found], dtype=np.float32)
           for i, name in enumerate(("x", "y", "width", "height"))},
        "mask_height": [SIZE] * len(found),
        "mask_width": [SIZE] * len(found),
        "mask_counts": [item["segmentation"]["counts"] for item in found],
    }  # fmt: skip
    facts = {"training": "mine", "seed": 0, "loops": [3], "source_sha256": "abc"}
    table = pa.table(columns).replace_schema_metadata({"r3cnn": json.dumps(facts)})
    pq.write_table(table, tmp_path / "p.parquet")
    score(tmp_path / "p.parquet", 3, tmp_path / "val.json", tmp_path / "loops3.json")
    written = pq.read_table(tmp_path / "loops3.bootstrap.parquet")
    assert written.num_rows == 1000
    names = [f"{kind}.{name}" for kind in ("bbox", "segm") for name in RESAMPLED]
    assert {*METRICS, *AP_AT_IOU} <= set(RESAMPLED)
    assert written.column_names == ["resample", *names]
    said = json.loads(written.schema.metadata[b"r3cnn"])
    assert said["resampled_images"] == 12
    assert said["training"] == "mine"
    value = json.loads((tmp_path / "loops3.json").read_text())["bbox"]["AP"]
    low, high = np.quantile(written["bbox.AP"].to_numpy(), [0.005, 0.995])
    assert low < value < high


def test_a_file_of_resamples_is_whole_or_not_there(tmp_path) -> None:
    metrics = {"bbox.AP": np.array([0.1, np.nan])}
    write_resamples(tmp_path / "a.parquet", metrics, {"training": "x"}, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    assert pq.read_table(tmp_path / "a.parquet")["bbox.AP"].to_pylist()[0] == 0.1


@pytest.mark.slow
def test_five_thousand_images() -> None:
    """As many images, detections and objects as in COCO's val2017, in half as many categories."""
    generator = np.random.default_rng(0)
    images, detections, objects, categories = 5000, 500_000, 36_000, 40
    matches = []
    for _ in range(categories):
        d, g = detections // categories, objects // categories
        image, area = generator.integers(0, images, d), generator.integers(1, 4, d)
        chance = np.linspace(2, 0, d) * g / d * 0.6
        hits = np.flatnonzero(generator.random(d) < chance)
        hit, ignored = np.zeros((2, 4, 10, d), dtype=bool)
        for t in range(10):
            hit[0, t, hits[generator.random(len(hits)) < 1 - t * 0.09]] = True
        hit[0, 0, hits] = True
        positives = np.zeros((4, images), dtype=np.int32)
        for a in range(4):
            hit[a] = hit[0] & (area == a) if a else hit[0]
            ignored[a] = area != a if a else False
            np.add.at(positives[a], image[hit[a].any(axis=0)], 1)
        matches.append(Matches(image, generator.integers(0, 100, d), hit, ignored, positives))
    values = resampled_metrics(matches, draw(images))
    assert len(values["AP"]) == 1000
    assert 0 < values["AP"].std() < 0.05
