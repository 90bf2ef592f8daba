"""A row whose weights were given in place of a training: marked, and nothing is asked of what is not there."""

import csv
import io
from pathlib import Path

import pytest

from r3cnn.core.layout import CHECKOUT
from r3cnn.core.records import KINDS
from reports.claims.judge import NO_NUMBERS, judge
from reports.claims.spec import load_claims
from reports.figures.curves import histogram_series, learning_series
from reports.figures.figure2 import draw_figure2, figure2_data
from reports.page.details import details
from reports.page.html import build_report, render_page, write_report
from reports.page.templating import to_html
from reports.results.load import Results, load_results
from reports.results.setting import setting_of
from reports.tables.build import Table, build_tables
from reports.tables.files import RENDERERS
from reports.tables.spec import load_spec
from tests.reports.folders import SOURCES, ResultFolder

ZOO_TABLES = CHECKOUT / "reports" / "zoo.yaml"
ZOO = {"source": "https://zoo.org/<b>x</b>.pth", "sha256": "0123456789abcdef" * 4}
NOTE = (
    "Not trained here, its weights were given: mask_3x from https://zoo.org/<b>x</b>.pth "
    "(sha256 0123456789ab)."
)


@pytest.fixture
def given(smoke: ResultFolder) -> Results:
    """Mask R-CNN (3x) with given weights, and HTC as trained here."""
    smoke.train("mask_3x", weights=ZOO, device="A converter", iterations=0, seconds=0.0)
    smoke.histogram("mask_3x", 1, epochs=0)
    for name in ("train.jsonl", "validation.jsonl"):
        smoke.write(f"trainings/mask_3x/seed0/{name}", "")
    smoke.train("htc")
    smoke.histogram("r3_naive_inc", 3)
    smoke.score("mask_3x", 1, 0.39, 0.35)
    smoke.score("htc", 3, 0.41, 0.36)
    return load_results(smoke.path)


@pytest.fixture
def table1(given: Results) -> Table:
    return build_tables(load_spec(), given, setting_of(given), SOURCES)[0]


def test_the_row_is_marked_in_every_format(table1: Table) -> None:
    _, mask_3x, htc, *_ = table1.rows
    assert table1.row_marks(mask_3x)[0] == "§"
    assert "§" not in table1.row_marks(htc)
    assert table1.source_notes == (("§", NOTE),)
    assert "Mask (3x) <sup>§, " in RENDERERS["md"](table1)
    assert r"Mask (3x)\textsuperscript{\S{},a" in RENDERERS["tex"](table1)
    assert r"\textsuperscript{\S{}}~Not trained here" in RENDERERS["tex"](table1)
    page = str(to_html(table1))
    assert '<sup><a href="#table1-note-§">§</a></sup>' in page
    assert "https://zoo.org/&lt;b&gt;x&lt;/b&gt;.pth" in page
    lines = list(csv.DictReader(io.StringIO(RENDERERS["csv"](table1))))
    assert [bool(line["weights"]) for line in lines] == [False, True, False, False, False, False]


def test_a_row_that_was_trained_here_has_no_such_column(smoke: ResultFolder) -> None:
    smoke.train("htc")
    smoke.score("htc", 3, 0.4, 0.3)
    results = load_results(smoke.path)
    table = build_tables(load_spec(), results, setting_of(results), SOURCES)[0]
    assert "weights" not in RENDERERS["csv"](table).splitlines()[0].split(",")
    assert "§" not in str(to_html(table))


def test_its_converter_is_not_what_trained(given: Results, smoke: ResultFolder) -> None:
    assert setting_of(given).device == "CPU, Some Processor, 2 threads"
    smoke.train("htc", weights=ZOO)
    assert setting_of(load_results(smoke.path)).device == "no training here, weights given"


def test_figure_2_says_why_a_panel_is_empty(given: Results) -> None:
    data = figure2_data(given, setting_of(given))
    mask_3x, decreasing, increasing = data.panels
    assert mask_3x.summary == "(a) Mask R-CNN (3x): not trained here, nothing was counted."
    assert mask_3x.command == ""
    assert decreasing.summary.endswith(": not run.")
    assert increasing.bars is not None
    texts = [text.get_text() for text in draw_figure2(data).axes[0].texts]
    assert "not trained here,\nnothing was counted" in texts


def test_curves_and_histograms_leave_it_out(given: Results) -> None:
    assert set(histogram_series(given)) == {"r3_naive_inc"}
    assert learning_series(given) == {}


def test_a_claim_on_its_samples_has_no_numbers(smoke: ResultFolder) -> None:
    for training in ("mask_1x", "mask_3x"):
        smoke.train(training, weights=ZOO)
        smoke.histogram(training, 1, epochs=0)
    for training in ("r3_naive_inc", "r3_naive_dec"):
        smoke.train(training)
        smoke.histogram(training, 3)
    claims = judge(load_claims(), load_spec(), load_results(smoke.path))
    c11 = next(item for item in claims if item.claim.name == "C11")
    assert c11.ours == NO_NUMBERS
    without = [checked.ours for checked in c11.checks if checked.ours.status == NO_NUMBERS]
    assert without
    assert all("not trained here, nothing was counted" in outcome.note for outcome in without)


def test_the_page_is_made_and_says_so(given: Results, tmp_path: Path) -> None:
    report = build_report(load_spec(), load_claims(), given, SOURCES)
    assert write_report(report, given, tmp_path / "report")
    page = render_page(report)
    assert "(a) Mask R-CNN (3x): not trained here, nothing was counted.</p>" in page
    row = page[page.index('<tr id="provenance-mask_3x-seed0">') :]
    row = row[: row.index("</tr>")]
    assert "§ not trained here: weights from <code>https://zoo.org/&lt;b&gt;" in row
    assert "A converter" not in row


def test_its_log_is_that_of_the_rule_that_took_it(smoke: ResultFolder, given: Results) -> None:
    smoke.write("logs/weights/mask_3x.seed0.log", "fetched")
    smoke.write("logs/train/htc.seed0.log", "trained")
    found = details(given, {})["trainings"]
    logs = {id_: found[id_]["seeds"]["0"]["log"] for id_ in ("mask_3x", "htc")}
    assert logs == {"mask_3x": "fetched", "htc": "trained"}


def test_the_zoo_is_judged_by_a_tenth_of_a_point(tmp_path: Path) -> None:
    """The same weights give the same AP: what a training of its own may differ by is no limit there."""
    folder = ResultFolder(tmp_path / "paper", "paper")
    folder.data(coco=True)
    for training, box, mask in (("zoo_mask_1x", 0.3823, 0.347), ("zoo_dcn", 0.420, 0.374)):
        folder.train(training, weights=ZOO)
        folder.score(training, 1, box, mask)
    results = load_results(folder.path)
    report = build_report(load_spec(ZOO_TABLES), load_claims(), results, SOURCES)
    table = next(one for one in report.tables if one.name == "zoo")
    said = {row.training: [row.cells[f"{kind}_AP"].verdict for kind in KINDS] for row in table.rows}
    assert said["zoo_mask_1x"] == ["match", "match"]
    assert said["zoo_dcn"] == ["different", "match"]  # mmdet says 41.8
    assert said["zoo_groie"] == ["", ""]
    (limits,) = [line for line in table.statements if "match" in line]
    assert report.meaning == limits
    assert "0.1 AP" in limits
    assert "mmdet" in limits
