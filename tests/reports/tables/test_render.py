"""Every format of a table against a golden file, and strings that want to break out.

After a wanted change: UPDATE_GOLDEN=1 python -m pytest tests/reports/test_render.py, then read
the difference.
"""

import csv
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import escape

from reports.page.templating import to_html
from reports.results.load import load_results
from reports.results.setting import setting_of
from reports.tables.build import Table, build_tables
from reports.tables.files import RENDERERS
from reports.tables.spec import load_spec
from tests.reports.folders import FORMER, SOURCES, ResultFolder

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


class Elements(HTMLParser):
    """Counts the elements of a page and keeps its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def table(paper: ResultFolder) -> Table:
    """Rows of one seed, three seeds and none, and a hostile one of former sources."""
    paper.train("mask_1x")
    paper.score("mask_1x", 1, 0.3849, 0.3404)
    paper.measure("mask_1x", device="GPU <A> & B_1")
    for seed, ap in enumerate([0.411, 0.413, 0.414]):
        paper.train("htc", seed)
        paper.score("htc", 3, ap, ap - 0.05, seed=seed)
        paper.resample("htc", 3, ap, seed=seed)
    paper.measure("htc", parameters={"trainable": 77230846}, speed=None, device="GPU <A> & B_1")
    paper.score("hostile", 2, 0.1, None)
    paper.train("hostile", source_sha256=FORMER)
    results = load_results(paper.path)
    spec = load_spec(GOLDEN / "small.yaml")
    return build_tables(spec, results, setting_of(results), SOURCES)[0]


@pytest.mark.parametrize("suffix", ["csv", "md", "tex", "html"])
def test_golden(table: Table, suffix: str) -> None:
    golden = GOLDEN / "expected" / f"small.{suffix}"
    found = str(to_html(table)) if suffix == "html" else RENDERERS[suffix](table)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_a_note_of_a_table_above_is_linked_and_not_said_again(table: Table) -> None:
    mark, text = table.notes[0]
    below = replace(table, name="below", title="Table B")
    first, second = str(to_html(table)), str(to_html(below, above=[table]))
    said = str(escape(text))
    assert said in first
    assert said not in second
    assert f'id="below-note-{mark}"' in second
    assert f'<a href="#small-note-{mark}">as {mark} of Table &lt;b&gt;S&lt;/b&gt;</a>' in second


def test_csv_says_all_that_the_page_says(table: Table) -> None:
    lines = list(csv.DictReader(io.StringIO(RENDERERS["csv"](table))))
    assert [line["status"] for line in lines] == ["run", "run", "not run", "run"]
    assert [line["sources"] for line in lines] == ["present", "present", "", "other"]
    several = {key: value for key, value in lines[1].items() if key.startswith("bbox_AP_")}
    assert several == {
        "bbox_AP_paper": "41.7",
        "bbox_AP_ours": "41.3",
        "bbox_AP_std": "0.15",
        "bbox_AP_n": "3",
        "bbox_AP_low": "40.0",
        "bbox_AP_high": "42.5",
        "bbox_AP_difference": "-0.4",
    }
    assert lines[2]["bbox_AP_ours"] == ""
    assert lines[2]["bbox_AP_paper"] == "40.9"
    assert lines[3]["label"] == table.rows[3].label
    assert {line["scale"] for line in lines} == {"paper"}
    assert {line["measured_on"] for line in lines} == {"GPU <A> & B_1 (scale paper)"}


def test_html_holds_no_element_of_the_data(table: Table) -> None:
    page = Elements(str(to_html(table)))
    assert not {"script", "img", "b", "i"} & set(page.tags)
    assert "onerror" not in page.attributes
    for text in (table.rows[3].label, table.title, table.caption, table.notes[0][1]):
        assert text in page.text


def test_html_headers_have_a_scope_and_every_table_a_caption(table: Table) -> None:
    page = str(to_html(table))
    headers = re.findall(r"<th\b[^>]*>", page)
    assert headers
    assert all("scope=" in header for header in headers)
    assert page.count("<table>") == page.count("<caption") == 2
    assert re.findall(r'class="number difference (\w+)">', page).count("match") == 5


def test_best_and_second_best_are_marked_and_said(table: Table) -> None:
    ranks = [(row.cells["bbox_AP"].paper_rank, row.cells["bbox_AP"].rank) for row in table.rows]
    assert ranks == [("", ""), ("best", ""), ("second", ""), ("", "")]  # of ours one is not run
    assert "**41.7**" in RENDERERS["md"](table)
    assert "<u>40.9</u>" in RENDERERS["md"](table)
    assert r"\textbf{41.7}" in RENDERERS["tex"](table)
    assert r"\underline{40.9}" in RENDERERS["tex"](table)
    assert '41.7</span><span class="unseen">, best</span>' in str(to_html(table))
    assert "bold" in " ".join(table.statements)


def test_an_interval_stands_with_its_number(table: Table) -> None:
    assert '<small class="interval">40.0 to 42.5</small>' in str(to_html(table))
    assert "1,001 resamples" in " ".join(table.statements)


def test_html_says_the_verdict_in_words(table: Table) -> None:
    assert '+0.3<span class="unseen">, match</span>' in str(to_html(table))


def test_latex_is_balanced_and_escaped(table: Table) -> None:
    text = RENDERERS["tex"](table)
    bare = re.sub(r"\\[\\{}$&#%_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert len(re.findall(r"\\begin\{", text)) == len(re.findall(r"\\end\{", text))
    for wrong in (r"\input", r"\cmd", r"\relax"):
        assert wrong not in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]
    assert len(lines) == 4
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns) - 1}


def test_markdown_rows_have_as_many_cells_as_the_header(table: Table) -> None:
    lines = [line for line in RENDERERS["md"](table).splitlines() if line.startswith("|")]
    assert len(lines) == 2 * 6
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    assert len(set(cells[:6])) == len(set(cells[6:])) == 1
    assert not any("<img" in line or "<script" in line for line in lines)


def test_an_empty_table_has_every_format(smoke: ResultFolder) -> None:
    results = load_results(smoke.path)
    other = build_tables(load_spec(), results, setting_of(results), SOURCES)[-1]
    assert other.rows == ()
    assert RENDERERS["csv"](other).splitlines() == ["row,label,training,loops,status"]
    assert "None." in RENDERERS["md"](other)
    assert r"\end{table}" in RENDERERS["tex"](other)
