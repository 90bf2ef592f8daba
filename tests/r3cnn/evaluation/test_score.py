"""Scores are pycocotools' own, and a file that does not fit is refused."""

import contextlib
import io
import json
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
from r3cnn.core.records import METRICS
from r3cnn.evaluation.predictions import SCHEMA
from r3cnn.evaluation.score import score

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
        run = COCOeval(truth, truth.loadRes(results), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return list(run.stats)


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
        assert tuple(found[kind]) == METRICS
        expected = pycocotools(truth, rows, kind)
        values = [-1 if value is None else value for value in found[kind].values()]
        assert values == pytest.approx(expected, abs=1e-12)
        assert 0.05 < found[kind]["AP"] < 0.95
    assert found["bbox"] != found["segm"]


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


@pytest.mark.parametrize(
    ("column", "name"), [("image_id", "images"), ("category_id", "categories")]
)
def test_detections_of_what_the_annotations_do_not_hold(annotations, tmp_path, column, name):
    rows = imperfect(loaded(annotations))
    rows[3] = {**rows[3], column: 987654}
    path = write(tmp_path / "p.parquet", rows)
    with pytest.raises(
        UserError, match=rf"p.parquet: {column}: 987654 \(1 in all\) is not among the {name}"
    ):
        result(path, 3, annotations)
