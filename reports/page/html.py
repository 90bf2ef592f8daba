"""The report: one folder that opens from disk, without a network."""

import importlib.util
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r3cnn.core.errors import UserError
from r3cnn.core.files import together, write_if_changed
from r3cnn.core.layout import NAMES

from ..claims.judge import Judged, judge, rule_of, write_claims
from ..claims.spec import Claims
from ..figures.anatomy import errors_over_loops
from ..figures.charts import Chart, build_charts, write_charts
from ..figures.closer import closer_charts
from ..figures.cost import ap_over_cost, ap_over_parameters
from ..figures.curves import histogram_series, learning_series
from ..figures.figure2 import PANELS, Figure2, figure2_data, write_figure2
from ..figures.lines import LineChart
from ..figures.over_iou import ap_over_iou, gain_over_iou
from ..figures.panels import Panels
from ..results.errors import load_errors
from ..results.load import Results
from ..results.provenance import OTHER_SOURCES, Trained, trained_models
from ..results.setting import Setting, run_command, setting_of
from ..results.tidy import tidy, write_tidy
from ..tables.build import Table, build_tables
from ..tables.files import write_tables
from ..tables.spec import OTHER, PAPER, Spec
from .costs import RuleCost, Speeds, costs_of, measured_speeds
from .details import again_command, details
from .gallery import Gallery, load_gallery
from .templating import environment

LIBRARY = "plotly.min.js"


@dataclass(frozen=True)
class NotePlace:
    """A discrepancy or confound and the tables that it touches."""

    text: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Report:
    """All that the page shows; `series` is what its script draws and opens."""

    name: str
    setting: Setting
    tables: tuple[Table, ...]
    figure2: Figure2
    claims: tuple[Judged, ...]
    claims_rule: str
    gallery: Gallery
    notes: tuple[NotePlace, ...]
    trained: tuple[Trained, ...]
    costs: tuple[RuleCost, ...]
    speeds: Speeds | None
    present: Collection[str] | None
    command: str
    series: dict[str, Any]
    charts: tuple[Chart, ...] = ()
    line_charts: tuple[LineChart, ...] = ()
    closer: tuple[Panels, ...] = ()

    @property
    def meaning(self) -> str:
        """What the differences from published APs mean, by the tables that show some."""
        found = dict.fromkeys(line for table in self.shown_tables for line in table.meaning)
        return " ".join(found) or self.setting.meaning

    @property
    def shown_charts(self) -> tuple[Chart | LineChart, ...]:
        """The charts of the page: those of lines only if there are some."""
        return (*self.charts, *(one for one in self.line_charts if len(one.frame)))

    @property
    def shown_closer(self) -> tuple[Panels, ...]:
        """The charts of errors that there are: none of a run that an earlier version scored."""
        return tuple(one for one in self.closer if len(one.frame))

    @property
    def shown_tables(self) -> tuple[Table, ...]:
        """The tables of the page: "Other rows" only if there are some."""
        return tuple(table for table in self.tables if table.rows or table.name != OTHER)

    @property
    def paper_tables(self) -> tuple[Table, ...]:
        """The tables that show a number of the paper; all of them where none does."""
        own = tuple(table for table in self.shown_tables if _shows_the_paper(table))
        return own or self.shown_tables

    @property
    def further_tables(self) -> tuple[Table, ...]:
        """The rest of the tables."""
        return tuple(table for table in self.shown_tables if table not in self.paper_tables)

    @property
    def shared_statements(self) -> tuple[str, ...]:
        """What every table says: the page says it once."""
        tables = self.shown_tables
        first = tables[0].statements if len(tables) > 1 else ()
        return tuple(line for line in first if all(line in table.statements for table in tables))

    @property
    def all_other(self) -> bool:
        """Whether no training was made by the present sources, so that a mark on each would say nothing."""
        return bool(self.trained) and all(entry.sources == OTHER_SOURCES for entry in self.trained)

    @property
    def missing(self) -> int:
        """How many evaluations named by the tables have no score."""
        return list(self._evaluations().values()).count(False)

    @property
    def evaluations(self) -> int:
        """How many distinct evaluations the tables name."""
        return len(self._evaluations())

    @property
    def series_json(self) -> str:
        """The script's data, safe within a script element."""
        try:
            text = json.dumps(self.series, allow_nan=False, separators=(",", ":"))
        except ValueError:
            text = json.dumps(_finite(self.series), separators=(",", ":"))
        return text.replace("<", "\\u003c")

    def _evaluations(self) -> dict[tuple[str, int], bool]:
        return {
            (row.training, row.loops): row.run
            for table in self.tables
            if table.name != OTHER
            for row in table.rows
        }


def _shows_the_paper(table: Table) -> bool:
    return table.publisher == PAPER and any(column.published for column in table.columns)


def build_report(
    spec: Spec, claims: Claims, results: Results, present: Collection[str] | None
) -> Report:
    """Everything computed, nothing written. Raises: UserError."""
    setting = setting_of(results)
    tables = build_tables(spec, results, setting, present)
    wrong = load_errors(results)
    return Report(
        name=results.name,
        setting=setting,
        tables=tuple(tables),
        figure2=figure2_data(results, setting),
        claims=tuple(judge(claims, spec, results)),
        claims_rule=rule_of(claims, results),
        gallery=load_gallery(results),
        notes=tuple(_note_places(spec, tables)),
        trained=tuple(trained_models(results, present)),
        costs=costs_of(results),
        speeds=measured_speeds(),
        present=present,
        command=run_command(results),
        series=_series(spec, results, tables),
        charts=tuple(build_charts(spec, results, setting)),
        line_charts=(
            ap_over_iou(results, setting),
            gain_over_iou(spec, results, setting),
            errors_over_loops(wrong, setting),
            ap_over_cost(results, setting),
            ap_over_parameters(results, setting),
        ),
        closer=closer_charts(wrong),
    )


def render_page(report: Report) -> str:
    """index.html."""
    return environment().get_template("index.html.j2").render(report=report, library=LIBRARY)


def write_report(report: Report, results: Results, out: Path) -> list[Path]:
    """Write the page and every file that it shows or links. Raises: UserError."""
    with together():
        files = write_tables(report.tables, out) + write_figure2(report.figure2, out)
        files += write_charts([*report.charts, *report.line_charts, *report.closer], out)
        files.append(write_claims(list(report.claims), out))
        files.append(write_tidy(tidy(results, report.setting), out))
        files.append(write_if_changed(out / LIBRARY, _library()))
        # The page comes last: where it stands, all that it links stands too.
        return [*files, write_if_changed(out / "index.html", render_page(report))]


def _series(spec: Spec, results: Results, tables: list[Table]) -> dict[str, Any]:
    series = details(results, spec.parents)
    commands = {}
    for row in (row for table in tables for row in table.rows):
        seed = min(row.seeds, default=0)
        target = NAMES.score(row.training, seed, row.loops).as_posix()
        measured = NAMES.measurement(row.training).as_posix()
        commands[f"{row.training}|{row.loops}"] = {
            kind: {"run": run_command(results, name), "again": again_command(results, name)}
            for kind, name in (("score", target), ("measurement", measured))
        }
    return series | {
        "commands": commands,
        "figure2": [training for training, _ in PANELS],
        "histograms": histogram_series(results),
        "curves": learning_series(results),
    }


def _library() -> bytes:
    """plotly.js, which comes within the Python package. Raises: UserError."""
    found = importlib.util.find_spec("plotly")
    folders = list(found.submodule_search_locations or []) if found else []
    for folder in folders:
        path = Path(folder) / "package_data" / LIBRARY
        if path.is_file():
            return path.read_bytes()
    raise UserError("plotly: not installed, and the page's figures need it; run `make setup`")


def _finite(value: Any) -> Any:
    """The same without NaN and infinities, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _note_places(spec: Spec, tables: list[Table]) -> list[NotePlace]:
    places = []
    for text in spec.notes.values():
        touched = tuple(
            table
            for table in tables
            if text in table.general_notes or text in [note for _, note in table.notes]
        )
        places.append(NotePlace(text, touched))
    return places
