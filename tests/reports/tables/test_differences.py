"""A row less the one that it is to be compared with, and how sure that is."""

from decimal import Decimal
from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from reports.page.templating import to_html
from reports.results.load import load_results
from reports.results.setting import setting_of
from reports.tables.build import DIFFERENCES, NO_VALUE, NOT_RUN, Table, build_table
from reports.tables.files import RENDERERS
from reports.tables.spec import load_spec
from tests.reports.folders import SOURCES, ResultFolder

TABLES = """\
tables:
  own:
    title: Own
    caption: Two rows.
    columns:
      - {name: against, heading: Against, source: {constant: against}, format: text}
      - {name: more, heading: more, source: {difference: bbox.AP}, format: percent}
    rows:
      - {label: One, training: mask_1x, loops: 1}
      - {label: Other, training: r3_naive_inc, loops: 3, against: One}
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(TABLES)
    return path


def built(tables: Path, folder: ResultFolder) -> Table:
    spec, results = load_spec(tables), load_results(folder.path)
    return build_table(spec.tables["own"], {}, results, setting_of(results), SOURCES)


def scored(folder: ResultFolder) -> None:
    for id_, loops, ap in (("mask_1x", 1, 0.30), ("r3_naive_inc", 3, 0.28)):
        folder.train(id_, loops_trained=loops)
        folder.score(id_, loops, ap, ap)
        folder.resample(id_, loops, ap)


def test_it_is_paired_over_the_images(smoke: ResultFolder, tables: Path) -> None:
    scored(smoke)
    table = built(tables, smoke)
    one, other = (row.cells["more"] for row in table.rows)
    assert (one.status, one.ours) == (NO_VALUE, None)
    assert other.ours.mean == Decimal("-2.0")
    # both vary alike from resample to resample, and of the spread of seeds nothing is known
    assert other.interval == (Decimal("-2.0"), Decimal("-2.0"))
    assert [row.cells["against"].text for row in table.rows] == ["", "One"]
    assert DIFFERENCES.format(table.taken_in) in table.statements
    assert "| −2.0 (−2.0 to −2.0) |" in RENDERERS["md"](table)
    assert "more_ours,more_low,more_high" in RENDERERS["csv"](table)
    assert "(−2.0 to −2.0)" in str(to_html(table))
    assert "($-$2.0 to $-$2.0)" in RENDERERS["tex"](table)


def test_without_equal_images_there_is_no_interval(smoke: ResultFolder, tables: Path) -> None:
    scored(smoke)
    smoke.resample("mask_1x", 1, 0.3, annotations_sha256="other")
    table = built(tables, smoke)
    cell = table.rows[1].cells["more"]
    assert (cell.ours.mean, cell.interval) == (Decimal("-2.0"), None)
    assert DIFFERENCES.format(table.taken_in) not in table.statements


def test_where_there_are_no_objects_it_says_so(smoke: ResultFolder, tables: Path) -> None:
    tables.write_text(TABLES.replace("bbox.AP}", "bbox.APx}"))
    scored(smoke)
    assert "| no objects |" in RENDERERS["md"](built(tables, smoke))


@pytest.mark.parametrize("missing", ["mask_1x", "r3_naive_inc"])
def test_both_rows_must_have_run(smoke: ResultFolder, tables: Path, missing) -> None:
    scored(smoke)
    for path in (smoke.path / "scores" / missing).rglob("*.json"):
        path.unlink()
    cell = built(tables, smoke).rows[1].cells["more"]
    assert (cell.status, cell.ours) == (NOT_RUN, None)
    assert "| not run |" in RENDERERS["md"](built(tables, smoke))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("against: One", "against: Two"), "rows.1.against: no row of this"),
        (("label: Other", "label: One"), "rows.1.against: 2 rows of this"),
        (("against: One", "against: Other"), "rows.1.against: it is the same evaluation"),
        (
            ("AP}, format: percent", "AP}, format: decimal"),
            "columns.1.format: 'percent' was expected",
        ),
        (("AP}, format", "AP}, published: x, format"), "columns.1: False schema does not allow"),
    ],
)
def test_a_row_stands_against_one_other(tables: Path, change, found) -> None:
    tables.write_text(TABLES.replace(*change))
    with pytest.raises(UserError, match=rf"own.yaml: tables.own.{found}"):
        load_spec(tables)
