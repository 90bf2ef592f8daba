"""COCO's result files: written for other tools, and read from them."""

import contextlib
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from pycocotools.cocoeval import COCOeval

from r3cnn.cli.main import main
from r3cnn.core.errors import UserError
from r3cnn.core.records import SCORED
from r3cnn.evaluation.score import score
from tests.r3cnn.evaluation.test_score import imperfect, loaded, write
from tests.r3cnn.reference import summarised

KINDS = ("bbox", "segm")


@pytest.fixture(scope="module")
def annotations(shapes) -> Path:
    return Path(shapes["splits"]["val"]["annotations"])


@pytest.fixture
def files(annotations: Path, tmp_path: Path) -> list[Path]:
    """Both files of a predictions file, as the command writes them."""
    write(tmp_path / "p.parquet", imperfect(loaded(annotations)))
    words = ["results", str(tmp_path / "p.parquet"), "--loops", "3", "--format", "coco"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    found = [Path(line) for line in done.output.splitlines()]
    assert [path.name for path in found] == ["p.bbox.json", "p.segm.json"]
    return found


def scored(files: list[Path], annotations: Path, *more: str) -> dict:
    out = files[0].with_name("score.json")
    words = [word for file in files for word in ("--predictions", str(file))]
    done = CliRunner().invoke(
        main, ["score", *words, *more, "--annotations", str(annotations), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    return json.loads(out.read_text())


def test_there_through_pycocotools_and_back(files: list[Path], annotations: Path) -> None:
    """What was scored here, pycocotools scores the same from the files, and so do we."""
    own = scored([files[0].with_name("p.parquet")], annotations, "--loops", "3")
    again = scored(files, annotations)
    truth = loaded(annotations)
    for kind, path in zip(KINDS, files, strict=True):
        with contextlib.redirect_stdout(io.StringIO()):
            run = COCOeval(truth, truth.loadRes(str(path)), kind)
            run.evaluate()
        for name, expected in summarised(run).items():
            assert own[kind][name] == pytest.approx(expected, abs=1e-12), name
        for name in SCORED[kind]:
            if "box_area" not in name:  # a file of masks has no boxes
                assert again[kind][name] == pytest.approx(own[kind][name], abs=1e-12), name
    assert again["training"] == "p"
    assert again["loops"] == 1


def test_one_file_of_another_tool(annotations: Path, tmp_path: Path) -> None:
    """Boxes and polygons in one list, with numbers of 64 bits; masks are as large as themselves."""
    truth = loaded(annotations)
    found = [
        {"image_id": one["image_id"], "category_id": one["category_id"], "score": 1 / (3 + i),
         "bbox": [x + 0.1 for x in one["bbox"]], "segmentation": one["segmentation"]}
        for i, one in enumerate(truth.dataset["annotations"])
    ]  # fmt: skip
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(found))
    result = scored([path], annotations)
    assert result["segm"]["AP"] == 1
    assert 0.5 < result["bbox"]["AP"] <= 1


def test_boxes_alone(files: list[Path], annotations: Path) -> None:
    result = scored(files[:1], annotations)
    assert result["bbox"]["AP"] > 0
    assert set(result["segm"].values()) == {None}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_id": 10**9}, "image_id: 1000000000 found"),
        ({"category_id": "cat"}, "category_id: 'cat' found"),
        ({"score": None}, "score: None found"),
        ({"bbox": [1, 2, 3]}, "bbox: [1, 2, 3] found"),
        (
            {"segmentation": {"size": [1, 1], "counts": "01"}},
            "segmentation: an RLE of size [1, 1] found",
        ),
        ({"segmentation": {"size": [96, 96], "counts": "01"}}, "segmentation: an RLE"),
        ({"segmentation": [[1, 2]]}, "segmentation: a polygon of 2 numbers"),
    ],
)
def test_what_is_no_detection_is_named(
    change: dict, said: str, files: list[Path], annotations: Path
) -> None:
    found = json.loads(files[0].read_text())
    found[1].update(change)
    files[0].write_text(json.dumps(found))
    with pytest.raises(UserError) as caught:
        score(files[0], 1, annotations, files[0].with_name("out.json"))
    assert str(caught.value).startswith(f"{files[0]}: detection 1: {said}")


@pytest.mark.parametrize(
    ("text", "said"), [("{}", "a JSON dict found"), ("[]", "no detection found")]
)
def test_what_is_no_list_of_detections(
    text: str, said: str, annotations: Path, tmp_path: Path
) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        score(path, 1, annotations, tmp_path / "out.json")


def test_a_file_of_predict_needs_its_loops(files: list[Path], annotations: Path) -> None:
    words = ["--annotations", str(annotations), "--out", str(files[0].with_name("out.json"))]
    predictions = files[0].with_name("p.parquet")
    done = CliRunner().invoke(main, ["score", "--predictions", str(predictions), *words])
    assert done.exit_code == 2
    assert "--loops" in done.output
    with pytest.raises(UserError, match=r"p\.segm\.json: only files of COCO's results"):
        score(predictions, 3, annotations, files[0].with_name("out.json"), files[1:])
