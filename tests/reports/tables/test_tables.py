"""A table as a function of spec and results."""

import csv
import io
from collections.abc import Collection
from pathlib import Path

import pytest

from reports.results.load import load_results
from reports.results.setting import setting_of
from reports.tables.build import NO_VALUE, NOT_RUN, Table, build_tables
from reports.tables.files import RENDERERS
from reports.tables.spec import load_spec
from tests.reports.folders import FORMER, SOURCES, ResultFolder


def built(folder: ResultFolder, present: Collection[str] | None = SOURCES) -> dict[str, Table]:
    results = load_results(folder.path)
    tables = build_tables(load_spec(), results, setting_of(results), present)
    return {table.name: table for table in tables}


def test_paper_ours_and_difference(paper: ResultFolder) -> None:
    paper.train("mask_1x")
    paper.score("mask_1x", 1, 0.3849, 0.3404)
    paper.measure("mask_1x")
    cells = built(paper)["table1"].rows[0].cells
    box, mask, params = cells["bbox_AP"], cells["segm_AP"], cells["params_k"]
    assert (str(box.paper), str(box.ours.mean), str(box.difference)) == ("38.2", "38.5", "0.3")
    assert (box.verdict, mask.verdict, params.verdict) == ("match", "different", "match")
    assert str(params.ours.mean) == "44170"
    assert (str(cells["model_size_mb"].ours.mean), cells["speed_img_s"].verdict) == ("339", "")


def test_one_training_stands_in_every_table_that_names_it(smoke: ResultFolder) -> None:
    smoke.score("r3_naive_inc", 3, 0.4, 0.3)
    tables = built(smoke)
    run = [(name, n) for name, t in tables.items() for n, row in enumerate(t.rows, 1) if row.run]
    assert run == [("table1", 4), ("table2", 4), ("table3", 4)]


def test_nothing_of_ap_is_judged_at_smoke(smoke: ResultFolder) -> None:
    smoke.train("mask_1x")
    smoke.score("mask_1x", 1, 0.382, 0.347)
    smoke.measure("mask_1x", parameters={"trainable": 1})
    table = built(smoke)["table1"]
    cells = table.rows[0].cells
    assert str(cells["bbox_AP"].difference) == "0.0"
    assert cells["bbox_AP"].verdict == ""
    # Parameters are those of the paper's models at every scale: equal is a fact, and no judgement.
    assert cells["params_k"].verdict == ""
    assert cells["model_size_mb"].verdict == "exact"
    assert "mean nothing" in " ".join(table.statements)
    assert "a difference of 0 is exact" in " ".join(table.statements)


@pytest.mark.parametrize("scale", ["smoke", "mini", "paper on other data"])
def test_no_verdict_is_given_but_at_scale_paper(tmp_path: Path, scale: str) -> None:
    folder = ResultFolder(tmp_path / "results" / scale.split()[0], scale.split()[0])
    folder.data()
    for training in ("mask_1x", "htc"):
        folder.train(training)
        folder.score(training, 3 if training == "htc" else 1, 0.382, 0.347)
        folder.measure(training)
    verdicts = {
        cell.verdict for table in built(folder).values() for r in table.rows for cell in r.cells.values()
    }  # fmt: skip
    assert verdicts == {"", "exact"}


def test_nothing_of_ap_is_judged_at_scale_paper_on_other_data(paper: ResultFolder) -> None:
    paper.data(coco=True, classes=["one"])
    paper.score("mask_1x", 1, 0.382, 0.347)
    paper.train("mask_1x")
    assert built(paper)["table1"].rows[0].cells["bbox_AP"].verdict == ""


def test_missing_rows_and_missing_values(smoke: ResultFolder) -> None:
    smoke.score("mask_1x", 1, 0.1, None)
    smoke.measure("mask_1x", speed=None)
    tables = built(smoke)
    first, second = tables["table1"].rows[:2]
    assert first.cells["segm_AP"].status == NO_VALUE
    assert first.cells["speed_img_s"].status == NO_VALUE
    assert tables["table4"].rows[0].cells["bbox_APs"].status == NO_VALUE
    assert second.cells["bbox_AP"].status == NOT_RUN
    assert not second.run
    assert second.cells["params_k"].status == NOT_RUN
    assert str(second.cells["bbox_AP"].paper) == "39.2"


def test_several_seeds(paper: ResultFolder) -> None:
    for seed, ap in enumerate([0.38, 0.381, 0.382]):
        paper.score("mask_1x", 1, ap, 0.3, seed=seed)
    row = built(paper)["table1"].rows[0]
    ours = row.cells["bbox_AP"].ours
    assert (str(ours.mean), str(ours.std), ours.n) == ("38.1", "0.10", 3)
    assert row.seeds == (0, 1, 2)


def test_nothing_of_ours_is_best_where_aps_mean_nothing(smoke: ResultFolder) -> None:
    for training, value in (("mask_1x", 0.1), ("groie", 0.2)):
        smoke.score(training, 1, value, value)
    rows = built(smoke)["table4"].rows
    assert {row.cells["bbox_AP"].rank for row in rows} == {""}
    assert [row.label for row in rows if row.cells["bbox_AP"].paper_rank == "best"] == [
        "R3-CNN-L+DCN"
    ]


def test_equal_numbers_share_a_rank(paper: ResultFolder) -> None:
    paper.train("mask_1x")
    rows = {row.training: row.loops for row in built(paper)["table4"].rows}
    found = dict.fromkeys(rows, 0.05) | {"mask_1x": 0.2, "groie": 0.2, "gcnet": 0.1}
    for training, value in found.items():
        assert not any(row.cells["bbox_AP"].rank for row in built(paper)["table4"].rows)
        paper.score(training, rows[training], value, value)
    ranks = {row.training: row.cells["bbox_AP"].rank for row in built(paper)["table4"].rows}
    assert (ranks["mask_1x"], ranks["groie"], ranks["gcnet"]) == ("best", "best", "second")


def test_speed_is_that_of_the_rows_own_loops(smoke: ResultFolder) -> None:
    speed = {"3": {"images_per_second": 3.0}, "1": {"images_per_second": 1.0}}
    smoke.measure("htc", speed=speed)
    assert str(built(smoke)["table1"].rows[2].cells["speed_img_s"].ours.mean) == "3.0"


def test_speed_is_labelled_with_its_device(smoke: ResultFolder) -> None:
    smoke.measure("htc", device="CPU, A")
    assert "measured on: CPU, A (scale smoke)." in " ".join(built(smoke)["table1"].statements)
    smoke.measure("mask_1x", device="GPU, B")
    statement = " ".join(built(smoke)["table1"].statements)
    assert "GPU, B (scale smoke): mask_1x; CPU, A (scale smoke): htc" in statement


def test_rows_that_no_table_names(smoke: ResultFolder) -> None:
    smoke.score("mine", 3, 0.2, 0.1)
    smoke.score("mask_1x", 2, 0.2, 0.1)
    smoke.score("mask_1x", 1, 0.2, 0.1)
    other = built(smoke)["other"]
    assert [(row.training, row.loops) for row in other.rows] == [("mask_1x", 2), ("mine", 3)]
    assert str(other.rows[1].cells["bbox_AP"].ours.mean) == "20.0"


def test_what_holds_of_all_rows_is_said_once_and_marks_none(smoke: ResultFolder) -> None:
    for training, loops in (("mask_1x", 1), ("htc", 3)):
        smoke.train(training, source_sha256=FORMER)
        smoke.score(training, loops, 0.2, 0.1, provenance={"source_sha256": FORMER})
    table = built(smoke)["table1"]
    assert "†" not in {mark for row in table.rows for mark in table.row_marks(row)}
    assert table.source_notes == ()
    assert [line for line in table.statements if "All rows" in line and "other sources" in line]
    smoke.train("r3_naive_inc")
    smoke.score("r3_naive_inc", 3, 0.2, 0.1)
    table = built(smoke)["table1"]
    marks = {row.training: "†" in table.row_marks(row) for row in table.rows if row.run}
    assert marks == {"mask_1x": True, "htc": True, "r3_naive_inc": False}


def test_marks_of_sources_and_notes(smoke: ResultFolder) -> None:
    smoke.train("mask_1x", source_sha256=FORMER)
    smoke.score("mask_1x", 1, 0.2, 0.1)
    table = built(smoke)["table1"]
    assert table.row_marks(table.rows[0]) == ("†", "a", "b", "c")
    assert table.row_marks(table.rows[2]) == ()
    assert dict(table.notes)["c"].startswith("Mask (1x) and Mask (3x) are the same network")
    [(mark, text)] = table.source_notes
    assert mark == "†"
    assert "other sources" in text
    [(mark, text)] = built(smoke, present=None)["table1"].source_notes
    assert mark == "‡"
    assert "unknown" in text


def test_masks_by_size_are_compared_by_the_papers_own_metric(paper: ResultFolder) -> None:
    """Table 4's mask APs by size are those of the box's area; ours are shown by the mask's."""
    by_box = {"APs_box_area": 0.181, "APm_box_area": 0.376, "APl_box_area": 0.467}
    segm = {"AP": 0.341, "APs": 0.16, "APm": 0.36, "APl": 0.49} | by_box
    paper.train("mask_1x")
    paper.score("mask_1x", 1, 0.373, 0.341, segm=segm)
    paper.train("htc")
    paper.score("htc", 3, 0.417, 0.369)  # scored before the metric was
    tables = built(paper)
    rows = tables["table4"].rows
    small, whole = rows[0].cells["segm_APs"], rows[0].cells["segm_AP"]
    assert (str(small.paper), str(small.ours.mean)) == ("18.0", "16.0")
    assert (str(small.compared.mean), str(small.difference), small.verdict) == (
        "18.1",
        "0.1",
        "match",
    )
    assert (whole.compared, str(whole.difference)) == (None, "0.0")
    older = rows[1].cells["segm_APs"]
    assert (str(older.ours.mean), older.difference, older.verdict) == ("36.9", None, "")
    assert str(rows[1].cells["bbox_AP50"].difference) == "-18.7"
    lines = list(csv.DictReader(io.StringIO(RENDERERS["csv"](tables["table4"]))))
    assert (lines[0]["segm_APs_ours"], lines[0]["segm_APs_compared"]) == ("16.0", "18.1")
    assert any("box's area" in note for note in tables["table4"].general_notes)
