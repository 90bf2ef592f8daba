"""The page: complete, closed in itself, and the same for the same results."""

import html
import json
import re
from collections.abc import Collection
from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from reports.claims.spec import load_claims
from reports.page.html import Report, build_report, render_page, write_report
from reports.results.load import load_results
from reports.tables.spec import Spec, load_spec
from tests.reports.folders import FORMER, SOURCES, ResultFolder


def report_of(
    folder: ResultFolder, present: Collection[str] | None = SOURCES, spec: Spec | None = None
) -> Report:
    results = load_results(folder.path)
    return build_report(spec or load_spec(), load_claims(), results, present)


def page(folder: ResultFolder, present: Collection[str] | None = SOURCES) -> str:
    return render_page(report_of(folder, present))


@pytest.fixture
def run(smoke: ResultFolder) -> ResultFolder:
    """A smoke run of two trainings, and one that no table names."""
    smoke.train("mask_1x")
    smoke.train("htc", source_sha256=FORMER, attempts=[{}, {}])
    smoke.train("mine", versions={"<script>": "1"}, device="<b>CPU</b>")
    smoke.score("mask_1x", 1, 0.382, 0.347)
    smoke.score("htc", 3, 0.2, 0.1)
    smoke.score("mine", 3, 0.2, 0.1)
    smoke.measure("mask_1x")
    smoke.histogram("mask_3x", 1)
    return smoke


def test_every_link_and_image_stands_in_the_folder(run: ResultFolder, tmp_path: Path) -> None:
    out = tmp_path / "report"
    written = write_report(report_of(run), load_results(run.path), out)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in written)
    text = (out / "index.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'\b(?:href|src)="([^"]+)"', text))
    assert {"table1.csv", "other.tex", "figure2.svg", "#table4"} <= targets
    for target in (target for target in targets if not target.startswith("data:")):
        assert target[1:] in ids if target.startswith("#") else (out / target).is_file(), target
    for named in re.findall(r'aria-labelledby="([^"]+)"', text):
        assert named in ids


def test_nothing_comes_from_a_network(run: ResultFolder) -> None:
    text = page(run)
    assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//|@import|url\(""", text)
    assert re.findall(r"<link ([^>]*)>", text) == ['rel="icon" href="data:,"']
    assert re.findall(r"<script src=([^>]*)>", text) == ['"plotly.min.js"']
    assert "default-src 'none'" in text


def test_the_same_results_give_the_same_page(run: ResultFolder) -> None:
    first = page(run)
    assert page(run) == first
    run.score("mask_1x", 1, 0.383, 0.347)
    assert page(run) != first


def test_smoke_is_said_and_nothing_of_ap_is_coloured(run: ResultFolder) -> None:
    text = page(run)
    assert "This is a smoke run." in text
    table2 = text[text.index('<section class="results" id="table2"') :]
    table2 = table2[: table2.index("</section>")]
    assert "difference" not in table2  # from numbers that these cannot be compared with
    assert 'class="number difference exact"' in text  # parameters can
    assert not re.search(r'class="number difference (match|near|different)', text)


def test_a_paper_run_is_judged(paper: ResultFolder) -> None:
    paper.train("mask_1x")
    paper.score("mask_1x", 1, 0.382, 0.347)
    text = page(paper)
    assert "smoke run" not in text
    assert 'class="number difference match"' in text


def test_the_banner_counts_the_papers_evaluations(run: ResultFolder) -> None:
    text = page(run)
    assert "2 of 21 run" in text
    command = "snakemake --profile workflow/profiles/local --config scale=smoke"
    assert f'<code class="command">{command}</code>' in text


def test_what_the_check_of_the_data_said_is_shown(run: ResultFolder) -> None:
    assert "data-warnings" not in page(run)
    line = "6 of 18 annotations are left out of the training: their box <is> outside (1, 4)"
    splits = {"train": {"sha256": "train-checksum", "image_count": 48, "warnings": [line]}}
    run.data(splits=splits | {"val": {"sha256": "val-checksum", "warnings": []}})
    text = page(run)
    assert "Warnings of the data check (1)" in text
    assert f"<li>train: {line.replace('<is>', '&lt;is&gt;')}</li>" in text


def test_provenance(run: ResultFolder) -> None:
    text = page(run)
    rows = dict(re.findall(r'<tr id="provenance-(\w+)-seed0">(.*?)</tr>', text, re.DOTALL))
    assert set(rows) == {"htc", "mask_1x", "mine"}
    assert "(present)" in rows["mask_1x"]
    assert "other than present" in rows["htc"]
    assert "in 2 attempts" in rows["htc"]
    assert "&lt;script&gt; 1" in rows["mine"]
    assert "torch 2.13.0" in rows["htc"]
    assert "2026-01-02T03:04:05+00:00" in rows["htc"]


def test_other_rows_are_shown_only_where_there_are_some(
    run: ResultFolder, paper: ResultFolder
) -> None:
    assert 'id="other"' in page(run)
    assert 'id="other"' not in page(paper)


def test_an_empty_folder_gives_a_page_of_rows_not_run(paper: ResultFolder) -> None:
    text = page(paper, present=None)
    assert "0 of 21 run" in text
    assert "No training has run." in text
    assert text.count("not run. To run it:") == 3  # panels of Figure 2
    gallery = text[text.index('<section id="gallery"') : text.index('<section id="notes"')]
    assert gallery.count('<code class="command">snakemake') == 3  # models
    assert "No images yet." in text
    assert "Present sources of the method: <code>unknown</code>" in text


def test_discrepancies_link_the_tables_that_they_touch(run: ResultFolder) -> None:
    text = page(run)
    notes = text[text.index('<section id="notes"') :]
    item = notes[notes.index("The authors' code runs deformable".replace("'", "&#39;")) :]
    assert re.findall(r'href="#(\w+)"', item[: item.index("</li>")]) == ["table4"]
    assert notes.count("<li>") >= len(load_spec().notes)


def test_without_tables_every_row_is_another_row(run: ResultFolder) -> None:
    report = report_of(run, spec=Spec({}, {}))
    [other] = report.shown_tables
    assert [row.training for row in other.rows] == ["htc", "mask_1x", "mine"]
    assert "0 of 0" not in render_page(report)


def test_missing_rows_are_shown_with_the_command_that_runs_them(run: ResultFolder) -> None:
    text = page(run)
    table = text[text.index('id="table2"') : text.index('id="table3"')]
    assert "Not run: 5 of 6 models" in table
    assert "results/smoke/scores/r3_naive_inc/seed0/loops5.json" in table


def test_the_scripts_data_cannot_end_their_element(run: ResultFolder) -> None:
    run.config("mine", "name = '</script><script>alert(1)</script>'")
    text = page(run)
    assert text.count("</script>") == text.count("<script") == 3
    series = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1]
    config = json.loads(series)["trainings"]["mine"]["seeds"]["0"]["config"]
    assert config == "name = '</script><script>alert(1)</script>'"


def test_numbers_that_json_does_not_know_are_left_out(run: ResultFolder) -> None:
    run.curve("mine", 4)
    run.train("mine", lr=float("inf"))
    series = json.loads(re.search(r'id="data">(.*?)</script>', page(run), re.DOTALL)[1])
    assert series["trainings"]["mine"]["seeds"]["0"]["manifest"]["lr"] is None
    assert series["curves"]["mine"]["0"]["y"]["special"] == [None, 5, 5, 5]


def test_claims_stand_on_the_page(run: ResultFolder) -> None:
    text = page(run)
    assert re.findall(r'id="claim-(C\d+)"', text) == [f"C{n}" for n in range(1, 13)]
    assert "number of claims, 12 (Holm)" in text
    assert "The paper (Conclusions)" in text


def section(text: str, name: str) -> str:
    found = text[text.index(f'id="{name}"') :]
    return found[: found.index("</section>")]


def test_verdicts_come_first_and_are_grey_where_the_numbers_mean_nothing(
    run: ResultFolder, paper: ResultFolder
) -> None:
    text = page(run)
    assert text.index('id="verdicts"') < text.index('id="table1"') < text.index('id="claims"')
    assert set(re.findall(r'class="status ([\w-]+)"', section(text, "verdicts"))) <= {
        "not-judged", "not-run", "no-numbers",
    }  # fmt: skip
    assert section(text, "verdicts").count("<li>") == 12
    for training, loops, ap in (("mask_1x", 1, 0.382), ("r3_naive_inc", 3, 0.409)):
        paper.train(training)
        paper.score(training, loops, ap, ap - 0.04)
        paper.resample(training, loops, ap)
    assert re.search(r'class="status (holds|fails|undecided)"', section(page(paper), "verdicts"))


def test_what_every_table_says_is_said_once(run: ResultFolder) -> None:
    text = page(run)
    line = html.escape(report_of(run).setting.line)
    main = text[: text.index('<script type="application/json"')]
    assert main.count(line) == 1
    assert line in section(text, "tables")


def test_training_by_other_sources_is_said_once_where_all_are(smoke: ResultFolder) -> None:
    smoke.train("mask_1x", source_sha256=FORMER)
    smoke.train("htc", source_sha256=FORMER)
    warning = "Every training was made by another version"
    assert page(smoke).count(warning) == 1
    smoke.train("mask_3x")
    assert warning not in page(smoke)


def test_without_the_plotting_library(
    run: ResultFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="plotly: not installed"):
        write_report(report_of(run), load_results(run.path), tmp_path)
