"""The page: complete, closed in itself, and the same for the same results."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from reports.html import build_report, render_page, write_report
from reports.load import load_results
from reports.tables_spec import Spec, load_spec
from tests.reports.folders import FORMER, PRESENT, ResultFolder


def page(folder: ResultFolder, present: str | None = PRESENT) -> str:
    return render_page(build_report(load_spec(), load_results(folder.path), present))


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
    report = build_report(load_spec(), load_results(run.path), PRESENT)
    written = write_report(report, out)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in written)
    text = (out / "index.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'\b(?:href|src)="([^"]+)"', text))
    assert {"table1.csv", "other.tex", "figure2.svg", "#table4"} <= targets
    for target in targets:
        assert target[1:] in ids if target.startswith("#") else (out / target).is_file(), target
    for named in re.findall(r'aria-labelledby="([^"]+)"', text):
        assert named in ids


def test_nothing_comes_from_a_network(run: ResultFolder) -> None:
    text = page(run)
    assert not re.search(r"https?:|@import|url\(|<script|<link", text)


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
    assert "difference" in table2
    assert not re.search(r'class="number difference (match|near|different)', table2)


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
    assert text.count("not run. To run it:") == 3
    assert "Present sources of the method: <code>unknown</code>" in text


def test_discrepancies_link_the_tables_that_they_touch(run: ResultFolder) -> None:
    text = page(run)
    notes = text[text.index('<section id="notes"') :]
    item = notes[notes.index("The authors' code runs deformable".replace("'", "&#39;")) :]
    assert re.findall(r'href="#(\w+)"', item[: item.index("</li>")]) == ["table4"]
    assert notes.count("<li>") >= len(load_spec().notes)


def test_without_tables_every_row_is_another_row(run: ResultFolder) -> None:
    report = build_report(Spec({}, {}), load_results(run.path), PRESENT)
    [other] = report.shown_tables
    assert [row.training for row in other.rows] == ["htc", "mask_1x", "mine"]
    assert "0 of 0" not in render_page(report)


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1600])
def test_the_page_is_not_wider_than_the_window(
    run: ResultFolder, tmp_path: Path, chromium: str, width: int
) -> None:
    # A frame has the wanted width on every machine; a window has a least one.
    measure = "const e = document.documentElement; document.title = e.scrollWidth - e.clientWidth"
    inner = page(run).replace("</body>", f"<script>{measure}</script></body>")
    frame = f'<iframe id="f" width="{width}" height="900" frameborder="0"></iframe>'
    show = f"f.srcdoc = {json.dumps(inner).replace('</', '<' + chr(92) + '/')};"
    tell = "f.onload = () => { document.title = 'excess ' + f.contentDocument.title; };"
    outer = tmp_path / "outer.html"
    outer.write_text(f"<!DOCTYPE html><title>none</title>{frame}<script>{tell}{show}</script>")
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [chromium, *options, *quiet, profile, "--virtual-time-budget=5000", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "<title>excess 0</title>" in done.stdout
