"""Scores are pycocotools' own, and a file that does not fit is refused."""

import contextlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from r3cnn.core.errors import UserError
from r3cnn.core.files import sha256_of
from r3cnn.core.records import BY_BOX_AREA, IOU_PERCENT, METRICS, SCORED
from r3cnn.evaluation import score as score_module
from r3cnn.evaluation.predictions import SCHEMA
from r3cnn.evaluation.score import score
from tests.r3cnn.reference import at_iou, summarised

FACTS = {"training": "r3_naive_inc", "seed": 0, "loops": [1, 3], "source_sha256": "0" * 64}


@pytest.fixture(scope="module")
def annotations(shapes) -> Path:
    return Path(shapes["splits"]["val"]["annotations"])


def loaded(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def imperfect(truth: COCO, loops: int = 3, times: int = 1) -> list[dict]:
    """Detections near the truth, some of a wrong class, some missing; and others far off."""
    noise = np.random.default_rng(loops)
    rows = []
    for one in [*truth.anns.values()] * times:
        if noise.random() < 0.1:
            continue
        for far in (0, 60):
            category = 1 if noise.random() < 0.1 else one["category_id"]
            place = {"loops": loops, "image_id": one["image_id"], "category_id": category}
            rows.append(place | _moved(truth, one, far, noise))
    return rows


def _moved(truth: COCO, one: dict, far: int, noise: np.random.Generator) -> dict:
    """Box, mask and scores of a detection `far` pixels from an object."""
    mask = np.roll(truth.annToMask(one), noise.integers(-3, 4, 2) + far, (0, 1))
    code = rle.encode(np.asfortranarray(mask))
    x, y, width, height = one["bbox"] + noise.normal(0, 1.5, 4)
    return {
        "score": noise.random(),
        "mask_score": noise.random(),
        **{"x": x + far, "y": y, "width": abs(width), "height": abs(height)},
        "mask_height": code["size"][0],
        "mask_width": code["size"][1],
        "mask_counts": code["counts"],
    }


def write(path: Path, rows: list[dict], **facts: object) -> Path:
    schema = SCHEMA.with_metadata({"r3cnn": json.dumps(FACTS | facts)})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def pycocotools(truth: COCO, rows: list[dict], kind: str) -> list[float]:
    """The twelve numbers by loadRes, with the values as the file stores them, in 32 bits."""
    run = evaluated(truth, rows, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        run.accumulate()
        run.summarize()
    return list(run.stats)


def evaluated(truth: COCO, rows: list[dict], kind: str, box_areas: bool = False) -> COCOeval:
    """box_areas: masks as large as their boxes, which is what mmdet 2.3 made of segm results."""
    results = []
    for row in rows:
        one = {"image_id": row["image_id"], "category_id": row["category_id"]}
        if kind == "bbox":
            one["bbox"] = [float(np.float32(row[k])) for k in ("x", "y", "width", "height")]
            one["score"] = float(np.float32(row["score"]))
        else:
            size = [row["mask_height"], row["mask_width"]]
            one["segmentation"] = {"size": size, "counts": row["mask_counts"]}
            one["score"] = float(np.float32(row["mask_score"]))
        results.append(one)
    with contextlib.redirect_stdout(io.StringIO()):
        found = truth.loadRes(results)
        for one, row in zip(found.dataset["annotations"], rows, strict=True):
            if box_areas:
                one["area"] = float(np.float32(row["width"])) * float(np.float32(row["height"]))
        run = COCOeval(truth, found, kind)
        run.evaluate()
    return run


def result(path: Path, loops: int, annotations: Path) -> dict:
    out = path.with_name("score.json")
    score(path, loops, annotations, out)
    return json.loads(out.read_text())


def test_all_metrics_are_pycocotools_own(annotations, tmp_path):
    truth = loaded(annotations)
    rows = imperfect(truth)
    found = result(write(tmp_path / "p.parquet", rows), 3, annotations)
    assert (found["training"], found["loops"], found["seed"]) == ("r3_naive_inc", 3, 0)
    assert found["images"] == 4
    for kind in ("bbox", "segm"):
        assert tuple(found[kind]) == SCORED[kind]
        run = evaluated(truth, rows, kind)
        expected = summarised(run) | {
            f"AP{percent}": at_iou(run, percent) for percent in IOU_PERCENT
        }
        assert len(expected) == 20
        for name, value in expected.items():
            assert found[kind][name] == pytest.approx(value, abs=1e-12), name
        assert 0.05 < found[kind]["AP"] < 0.95
    assert found["bbox"] != found["segm"]


def test_masks_by_the_area_of_their_boxes(tmp_path):
    """A false detection is small by its mask and of medium size by its box: it counts in one column alone."""
    objects = [(10, 10, 60, 20), (10, 60, 60, 20), (10, 100, 80, 60)]
    found = [(10, 10, 60, 20), (100, 10, 60, 20), (10, 60, 56, 18), (10, 100, 75, 55)]
    path, rows = thin_scene(tmp_path, objects, found)
    scored = result(write(tmp_path / "p.parquet", rows), 3, path)["segm"]
    truth = loaded(path)
    expected = summarised(evaluated(truth, rows, "segm", box_areas=True))
    for name, by_box in BY_BOX_AREA.items():
        assert scored[by_box] == pytest.approx(expected[name], abs=1e-12)
    assert scored["APs"] == pytest.approx(summarised(evaluated(truth, rows, "segm"))["APs"])
    assert scored["APs"] < scored["APs_box_area"]
    checked = result(write(tmp_path / "p.parquet", rows, scale="paper"), 3, path)["segm"]
    assert checked == scored  # pycocotools computed them too


def thin_scene(folder: Path, objects: list, found: list) -> tuple[Path, list[dict]]:
    """Annotations and detections whose masks are the upper left triangles of their boxes, best score first."""

    def triangle(x: int, y: int, width: int, height: int) -> dict:
        corner = [x, y, x + width, y, x, y + height]
        return rle.merge(rle.frPyObjects([corner], 200, 200))

    annotations = []
    for i, box in enumerate(objects, 1):
        code = triangle(*box)
        text = {"size": code["size"], "counts": code["counts"].decode()}
        annotations.append(
            {"id": i, "image_id": 1, "category_id": 1, "bbox": list(box), "iscrowd": 0,
             "area": float(rle.area(code)), "segmentation": text}
        )  # fmt: skip
    content = {
        "images": [{"id": 1, "width": 200, "height": 200, "file_name": "1.png"}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": annotations,
    }
    path = folder / "thin.json"
    path.write_text(json.dumps(content))
    rows = []
    for i, box in enumerate(found):
        code = triangle(*box)
        rows.append(
            {"loops": 3, "image_id": 1, "category_id": 1, "score": 0.9 - i / 10,
             "mask_score": 0.9 - i / 10, **dict(zip(("x", "y", "width", "height"), map(float, box), strict=True)),
             "mask_height": 200, "mask_width": 200, "mask_counts": code["counts"]}
        )  # fmt: skip
    return path, rows


@pytest.mark.parametrize("seed", range(3))
def test_masks_by_the_area_of_their_boxes_in_random_scenes(seed, annotations, tmp_path):
    """Detections whose boxes are of other sizes than their masks."""
    truth = loaded(annotations)
    rows, noise = imperfect(truth), np.random.default_rng(seed)
    for row in rows:
        scale = noise.choice([0.3, 1, 3])
        row["width"], row["height"] = row["width"] * scale, row["height"] * scale
    scored = result(write(tmp_path / "p.parquet", rows, scale="paper"), 3, annotations)["segm"]
    expected = summarised(evaluated(truth, rows, "segm", box_areas=True))
    for name, by_box in BY_BOX_AREA.items():
        assert scored[by_box] == pytest.approx(expected[name], abs=1e-12)
    assert any(scored[name] != scored[by_box] for name, by_box in BY_BOX_AREA.items())


def test_only_the_loops_asked_for_are_scored(annotations, tmp_path):
    truth = loaded(annotations)
    first, third = imperfect(truth, 1), imperfect(truth, 3)
    path = write(tmp_path / "p.parquet", first + third)
    for loops, rows in ((1, first), (3, third)):
        expected = pycocotools(truth, rows, "bbox")
        assert result(path, loops, annotations)["bbox"]["AP"] == pytest.approx(expected[0])


def test_masks_are_ranked_by_their_own_score(annotations, tmp_path):
    rows = imperfect(loaded(annotations))
    usual = result(write(tmp_path / "p.parquet", rows), 3, annotations)
    for row in rows:
        row["mask_score"] = 1 - row["mask_score"]
    other = result(write(tmp_path / "p.parquet", rows), 3, annotations)
    assert usual["bbox"] == other["bbox"]
    assert usual["segm"]["AP"] != other["segm"]["AP"]


def test_no_detections_at_all(annotations, tmp_path):
    found = result(write(tmp_path / "p.parquet", []), 3, annotations)
    for kind in ("bbox", "segm"):
        assert found[kind]["AP"] == found[kind]["AP50"] == found[kind]["AR100"] == 0


def test_metrics_without_an_object_are_null(annotations, tmp_path):
    """Not pycocotools' -1, which a mean would take for a number."""
    content = json.loads(annotations.read_text())
    small = [one for one in content["annotations"] if one["area"] < 32**2]
    path = tmp_path / "small.json"
    path.write_text(json.dumps(content | {"annotations": small}))
    found = result(write(tmp_path / "p.parquet", imperfect(loaded(path))), 3, path)
    for kind in ("bbox", "segm"):
        assert found[kind]["APs"] == found[kind]["AP"]
        for name in ("APm", "APl", "ARm", "ARl"):
            assert found[kind][name] is None


def test_annotations_without_info(annotations, tmp_path):
    """Real files lack it, and some versions of pycocotools stop there."""
    content = json.loads(annotations.read_text())
    del content["info"], content["licenses"]
    path = tmp_path / "bare.json"
    path.write_text(json.dumps(content))
    rows = imperfect(loaded(path))
    one = result(write(tmp_path / "p.parquet", rows), 3, path)
    other = result(tmp_path / "p.parquet", 3, annotations)
    assert (one["bbox"], one["segm"]) == (other["bbox"], other["segm"])


def test_more_than_255_masks(annotations, tmp_path):
    truth = loaded(annotations)
    rows = imperfect(truth, times=1 + 300 // len(truth.anns))
    assert len(rows) > 255
    found = result(write(tmp_path / "p.parquet", rows), 3, annotations)
    assert found["segm"]["AP"] == pytest.approx(pycocotools(truth, rows, "segm")[0], abs=1e-12)


def test_it_carries_the_predictions_facts(annotations, tmp_path):
    rows = imperfect(loaded(annotations))
    path = write(tmp_path / "p.parquet", rows, checkpoint_sha256="abc", device="CPU")
    provenance = result(path, 3, annotations)["provenance"]
    assert provenance["checkpoint_sha256"] == "abc"
    assert provenance["annotations_sha256"] == sha256_of(annotations)


# ------------------------------------------------------------ what pycocotools never reads, and ids

FIELDS = {
    "images": {"date_captured": 0, "license": None, "flickr_url": [1], "coco_url": {}, "extra": 1e400},
    "annotations": {"attributes": "none", "score": "high", "keypoints": 3, "ignore": "yes",
                    "num_keypoints": None, "lhrs": []},
    "categories": {"supercategory": None, "skeleton": 1, "keypoints": "none", "color": 3},
    "info": {"year": "unknown", "version": 1.0, "contributor": None},
    "licenses": {"id": "none", "name": 3},
}  # fmt: skip


@pytest.mark.parametrize("section", FIELDS)
def test_fields_that_the_metric_does_not_need(annotations, tmp_path, section):
    content = json.loads(annotations.read_text())
    if section == "info":
        content["info"] = 7
    elif section == "licenses":
        content["licenses"] = FIELDS[section]
    else:
        for one in content[section]:
            one.update(FIELDS[section])
    path = tmp_path / "val.json"
    path.write_text(json.dumps(content))
    rows = imperfect(loaded(annotations))
    one = result(write(tmp_path / "p.parquet", rows), 3, path)
    other = result(tmp_path / "p.parquet", 3, annotations)
    assert (one["bbox"], one["segm"]) == (other["bbox"], other["segm"])


IDS = {
    "large": lambda id_: 2**62 + id_,
    "the largest": lambda id_: 2**63 - 1000 + id_ % 1000,
    "negative": lambda id_: id_ - 3,
    "the smallest": lambda id_: -(2**63) + id_,
    "in another order": lambda id_: 10**6 - id_,
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_are_carried_exactly(annotations, tmp_path, kind):
    """float64 cannot tell the large ones apart; the ids of annotations stay above 0."""
    new = IDS[kind]
    content = json.loads(annotations.read_text())
    rows = imperfect(loaded(annotations))
    for section, key in (("images", "image_id"), ("categories", "category_id")):
        for one in content[section]:
            one["id"] = new(one["id"])
        for one in [*content["annotations"], *rows]:
            one[key] = new(one[key])
    if new(1) > 2**53:
        for one in content["annotations"]:
            one["id"] = new(one["id"])
    path = tmp_path / "val.json"
    path.write_text(json.dumps(content))
    found = result(write(tmp_path / "p.parquet", rows), 3, path)
    truth = loaded(path)
    for task in ("bbox", "segm"):
        values = [-1 if found[task][n] is None else found[task][n] for n in METRICS]
        assert values == pytest.approx(pycocotools(truth, rows, task), abs=1e-12)
        assert found[task]["AP"] > 0.05


# -------------------------------------------------------------------------- what is refused


def refused(path: Path, annotations: Path, loops: int = 3) -> str:
    out = path.with_name("score.json")
    with pytest.raises(UserError) as caught:
        score(path, loops, annotations, out)
    assert not out.exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_annotations_that_it_was_not_predicted_for(annotations, tmp_path):
    data = {"val_sha256": "1" * 64}
    path = write(tmp_path / "p.parquet", [], data=data)
    message = refused(path, annotations)
    assert message.startswith(f"{annotations}: sha256 {sha256_of(annotations)[:12]}...")
    assert f"{path} was made for 111111111111..." in message
    data["val_sha256"] = sha256_of(annotations)
    result(write(path, [], data=data), 3, annotations)


def test_missing_files(annotations, tmp_path):
    path = tmp_path / "p.parquet"
    expected = f"{path}: no such predictions file; run `python -m r3cnn predict`"
    assert refused(path, annotations) == expected
    write(path, [])
    none = tmp_path / "none.json"
    assert refused(path, none).startswith(f"{none}: cannot be read (No such file or directory)")


def test_loops_that_the_file_does_not_hold(annotations, tmp_path):
    path = write(tmp_path / "p.parquet", [])
    message = refused(path, annotations, loops=2)
    assert message == f"{path}: loops 2: holds [1, 3]; predict with --loops 2"


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "other columns", "no facts", "folder"])
def test_what_is_no_predictions_file(annotations, tmp_path, kind):
    path = tmp_path / "p.parquet"
    if kind == "text":
        path.write_text("loops\n3\n")
    elif kind == "empty":
        path.touch()
    elif kind == "cut":
        write(path, imperfect(loaded(annotations)))
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "other columns":
        pq.write_table(pa.table({"a": [1]}), path)
    elif kind == "no facts":
        pq.write_table(pa.Table.from_pylist([], schema=SCHEMA), path)
    else:
        path.mkdir()
    message = refused(path, annotations)
    assert message.startswith(f"{path}: ")
    assert message.endswith(
        "; run `python -m r3cnn predict`" if kind == "folder" else "; predict again"
    )


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b'{"images": [', "invalid JSON"),
        (b"[]", "a JSON list found, expected an object"),
        (b'{"images": [], "annotations": []}', "categories: the key is missing"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_annotations_that_are_no_annotations(tmp_path, content, cause):
    path = write(tmp_path / "p.parquet", [])
    broken = tmp_path / "broken.json"
    broken.write_bytes(content)
    message = refused(path, broken)
    assert message.startswith(f"{broken}: ")
    assert cause in message


def test_at_scale_paper_pycocotools_scores_some_of_the_images_and_the_file_says_how_many(
    annotations, tmp_path, monkeypatch
):
    path = write(tmp_path / "p.parquet", imperfect(loaded(annotations)), scale="paper")
    assert result(path, 3, annotations)["provenance"]["pycocotools_images"] == 4
    monkeypatch.setattr(score_module, "CHECKED_IMAGES", 2)
    seen, real = [], score_module.pycocotools_metrics
    monkeypatch.setattr(
        score_module,
        "pycocotools_metrics",
        lambda *part, **more: seen.append(part) or real(*part, **more),
    )
    found = result(path, 3, annotations)
    assert found["provenance"]["pycocotools_images"] == 2
    ids = sorted(one["id"] for one in json.loads(annotations.read_text())["images"])
    for content, table, _ in seen:
        assert [one["id"] for one in content["images"]] == ids[::2]
        assert set(table["image_id"].to_pylist()) == set(ids[::2])
        assert {one["image_id"] for one in content["annotations"]} == set(ids[::2])
    monkeypatch.setattr(
        score_module,
        "pycocotools_metrics",
        lambda *part, **more: real(*part, **more) | {"AP": 0.123},
    )
    with pytest.raises(UserError, match=r"pycocotools 0\.123"):
        result(path, 3, annotations)


@pytest.mark.parametrize(("key", "value"), [("image_id", 77), ("category_id", 2**62)])
def test_detections_of_other_data(annotations, tmp_path, key, value):
    rows = imperfect(loaded(annotations))
    rows[0][key] = value
    path = write(tmp_path / "p.parquet", rows)
    message = refused(path, annotations)
    assert message.startswith(f"{path}: {key} {value} found, expected those of {annotations}; ")
    assert message.endswith("predict again")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"mask_counts": b"PP"}, "counts are cut off"),
        ({"mask_counts": b"0"}, "an RLE of 0 pixels found"),
        ({"mask_height": 3}, "pixels found, expected"),
        ({"mask_height": 160, "mask_width": 128}, "an RLE of size [160, 128] found, expected [128, 160]"),
    ],
)  # fmt: skip
def test_masks_that_pycocotools_would_never_end_with(annotations, tmp_path, change, part):
    rows = imperfect(loaded(annotations))
    rows[0].update(change)
    path = write(tmp_path / "p.parquet", rows)
    message = refused(path, annotations)
    assert message.startswith(f"{path}: a mask in image {rows[0]['image_id']}: ")
    assert part in message


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda one: one.update(image_id=77), "image_id 77 found"),
        (lambda one: one.update(segmentation={"size": [128, 160], "counts": "PP"}), "cut off"),
        (lambda one: one.update(segmentation=[[1, 1, 2e8, 3e8, 5, 5]]), "a point at 200000000.0"),
        (lambda one: one.update(segmentation=[]), "no polygon found"),
    ],
)
def test_annotations_that_were_not_checked(annotations, tmp_path, spoil, part):
    content = json.loads(annotations.read_text())
    spoil(content["annotations"][0])
    path = tmp_path / "val.json"
    path.write_text(json.dumps(content))
    message = refused(write(tmp_path / "p.parquet", []), path)
    assert message.startswith(f"{path}: annotation {content['annotations'][0]['id']}: ")
    assert part in message


def test_boxes_and_masks_side_by_side_give_the_same_files(annotations, tmp_path, monkeypatch):
    path = write(tmp_path / "p.parquet", imperfect(loaded(annotations)), scale="paper")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    real, written, asked = score_module.side_by_side, [], []
    for name, least in (("one", 5), ("two", 4)):  # of four images
        monkeypatch.setattr(score_module, "APART_FROM", least)
        monkeypatch.setattr(
            score_module,
            "side_by_side",
            lambda calls, processes: asked.append(processes) or real(calls, processes),
        )
        out = tmp_path / name / "loops3.json"
        score_module.score(path, 3, annotations, out)
        written.append({file.name: file.read_bytes() for file in out.parent.iterdir()})
    assert asked == [1, 2]
    assert len(written[0]) == 3
    assert written[0] == written[1]
