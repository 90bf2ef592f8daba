"""AP by class, precision over recall, confusions and calibration, from the files beside the scores."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from r3cnn.core.errors import UserError
from r3cnn.core.layout import AP_BY_CLASS, CALIBRATION, CONFUSION, PRECISION_OVER_RECALL
from r3cnn.core.records import CURVES_AT
from reports.claims.spec import load_claims
from reports.figures.closer import closer_charts
from reports.page.html import build_report, write_report
from reports.results.errors import load_errors
from reports.results.load import load_results
from reports.tables.spec import load_spec
from tests.reports.folders import SOURCES, ResultFolder

CHARTS = (AP_BY_CLASS, PRECISION_OVER_RECALL, CONFUSION, CALIBRATION)


def wrong(folder: ResultFolder, training: str, loops: int, seed: int, **changes: object) -> None:
    """A file of two classes whose values are told by the seed; those of masks are half."""
    path = folder.errors(training, loops, 0.1, 0.1, seed=seed)
    content = json.loads(path.read_text())
    for times, kind in ((1.0, "bbox"), (0.5, "segm")):
        top = times * (0.6 + 0.2 * seed)
        content[kind] |= {
            "classes": [
                {"AP": top, "AP50": top, "AP75": None},
                {"AP": None, "AP50": None, "AP75": None},
            ],
            "precision": {
                str(iou): [times * 100 / iou * 0.5] * 51 + [0.0] * 50 for iou in CURVES_AT
            },
            # of 10 discs 6 are found, 3 named squares, 1 is not found; 5 detections lie on nothing
            "confusion": [[6, 3, 1], [0, 0, 0], [4, 1, 0]],
            "calibration": {
                "expected": times * 0.1 * (1 + seed), "largest": times * 0.4,
                "bins": [[0.05, 0.0, 0], [0.5, 0.2, 10 + 20 * seed]],
            },
        }  # fmt: skip
    folder.write(
        path.relative_to(folder.path).as_posix(),
        content | {"classes": ["disc", "square"]} | changes,
    )


@pytest.fixture
def run(smoke: ResultFolder) -> ResultFolder:
    """Two numbers of loops in two seeds, a model of boxes alone, and one of an earlier version."""
    for seed in (0, 1):
        for loops in (1, 3):
            smoke.score("r3_naive_inc", loops, 0.3, 0.2, seed=seed)
            wrong(smoke, "r3_naive_inc", loops, seed)
    smoke.score("htc", 3, 0.3, None)
    wrong(smoke, "htc", 3, 0, segm=None)
    smoke.score("mask_1x", 1, 0.3, 0.2)
    return smoke


@pytest.fixture
def report(run: ResultFolder, tmp_path: Path) -> Path:
    """The folder of the page."""
    results = load_results(run.path)
    write_report(
        build_report(load_spec(), load_claims(), results, SOURCES), results, tmp_path / "report"
    )
    return tmp_path / "report"


def rows_of(page: str, name: str) -> dict[tuple[str, str], list[str]]:
    """(training, L_e) -> cells of a chart's table on the page."""
    part = page[page.index(f'<details class="closer" id="{name}">') :]
    part = part[: part.index("</details>")]
    found = re.findall(
        r'<tr><th scope="row">(.*?)</th><td class="number">(.*?)</td>(.*?)</tr>', part
    )
    return {
        key: re.findall(r"<td.*?>(.*?)</td>", rest)
        for *key_, rest in found
        for key in [tuple(key_)]
    }


def test_the_page_shows_all_four_behind_closed_headings(report: Path) -> None:
    page = (report / "index.html").read_text(encoding="utf-8")
    for name in CHARTS:
        assert f'<details class="closer" id="{name}">' in page
        assert (report / f"{name}.svg").read_bytes().startswith(b"<?xml")
        assert list(rows_of(page, name)) == [
            ("htc", "3"), ("r3_naive_inc", "1"), ("r3_naive_inc", "3"),
        ]  # fmt: skip
    own, boxes = ("r3_naive_inc", "3"), ("htc", "3")
    assert rows_of(page, AP_BY_CLASS)[own] == ["70.0", "–", "35.0", "–"]
    assert rows_of(page, AP_BY_CLASS)[boxes] == ["60.0", "–", "–", "–"]
    # the means of curves that are 0.5 x 100 / IoU up to a recall of 0.5
    aps = [f"{100 * 100 / iou * 0.5 * 51 / 101:.1f}" for iou in CURVES_AT]
    assert rows_of(page, PRECISION_OVER_RECALL)[own][:3] == aps == ["50.5", "33.7", "28.1"]
    told = ["60.0", "30.0", "10.0", "10", "disc as square (6)"]
    assert rows_of(page, CONFUSION)[own] == [*told, *told]
    assert rows_of(page, CONFUSION)[boxes][:5] == [
        "60.0",
        "30.0",
        "10.0",
        "5",
        "disc as square (3)",
    ]
    assert rows_of(page, CALIBRATION)[own] == ["15.0", "40.0", "7.5", "20.0"]


def test_the_files_hold_every_value(report: Path) -> None:
    found = {name: pd.read_csv(report / f"{name}.csv") for name in CHARTS}
    key = ["training", "L_e", "kind"]
    assert set(found[AP_BY_CLASS]["class"]) == {"disc", "square"}
    curve = found[PRECISION_OVER_RECALL].set_index([*key, "IoU", "recall"])["precision"]
    assert curve["htc", 3, "box", 0.5, 0.5] == 1
    assert curve["r3_naive_inc", 1, "mask", 0.75, 0.0] == pytest.approx(1 / 3, abs=1e-4)
    assert curve["htc", 3, "box", 0.9, 0.51] == 0
    counts = found[CONFUSION].set_index([*key, "object", "detection"])["count"]
    assert counts["r3_naive_inc", 3, "box", "nothing", "disc"] == 8  # the sum over seeds
    assert counts["htc", 3, "box", "disc", "nothing"] == 1
    assert len(counts) == 5 * 5  # five evaluations of boxes or masks, five pairs that occur
    bins = found[CALIBRATION].set_index(key).loc[("r3_naive_inc", 1, "box")]
    assert bins[["score", "hits", "detections"]].to_numpy().tolist() == [0.5, 0.2, 40]


def test_drawings_are_the_same_bytes_and_hold_the_panels(run: ResultFolder) -> None:
    first, second = (closer_charts(load_errors(load_results(run.path))) for _ in range(2))
    assert [one.svg() for one in first] == [one.svg() for one in second]
    assert [len(one.panels) for one in first] == [2, 3, 3, 3]  # box and mask; the evaluations


def test_scores_that_are_no_probabilities_have_no_calibration(run: ResultFolder) -> None:
    name = "scores/htc/seed0/loops3.errors.json"
    content = json.loads((run.path / name).read_text())
    content["bbox"]["calibration"] = None
    run.write(name, content)
    *_, calibration = closer_charts(load_errors(load_results(run.path)))
    assert ("htc", 3) not in calibration.table
    assert len(calibration.panels) == 2


def test_an_older_run_has_no_such_section(smoke: ResultFolder, tmp_path: Path) -> None:
    smoke.score("mask_1x", 1, 0.3, 0.2)
    results = load_results(smoke.path)
    written = write_report(
        build_report(load_spec(), load_claims(), results, SOURCES), results, tmp_path / "r"
    )
    assert 'id="closer"' not in (tmp_path / "r" / "index.html").read_text(encoding="utf-8")
    assert {f"{name}.{suffix}" for name in CHARTS for suffix in ("svg", "csv")} <= {
        path.name for path in written
    }


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("classes", [], "bbox.classes: expected AP of 2 classes"),
        ("precision", {"50": []}, "bbox.precision: expected curves at 50, 75, 90"),
        ("confusion", [[1, 2], [3, 4]], "bbox.confusion: expected 3 x 3 counts"),
        ("calibration", {"bins": []}, "bbox.calibration: expected null, or expected, largest"),
    ],
)
def test_a_part_that_is_something_else_is_named(
    run: ResultFolder, part: str, value: object, said: str
) -> None:
    path = run.path / "scores/htc/seed0/loops3.errors.json"
    content = json.loads(path.read_text())
    content["bbox"][part] = value
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        load_errors(load_results(run.path))
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
