"""The report: one folder that opens from disk, without a network."""

from dataclasses import dataclass
from pathlib import Path

from reports.figures import Figure2, figure2_data, write_figure2
from reports.files import write_text
from reports.load import Results
from reports.provenance import Trained, trained_models
from reports.render import environment, write_tables
from reports.setting import Setting, run_command, setting_of
from reports.tables import Table, build_tables
from reports.tables_spec import OTHER, Spec


@dataclass(frozen=True)
class NotePlace:
    """A discrepancy or confound and the tables that it touches."""

    text: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    name: str
    setting: Setting
    tables: tuple[Table, ...]
    figure2: Figure2
    notes: tuple[NotePlace, ...]
    trained: tuple[Trained, ...]
    present: str | None
    command: str

    @property
    def shown_tables(self) -> tuple[Table, ...]:
        """The tables of the page: "Other rows" only where there are some."""
        return tuple(table for table in self.tables if table.rows or table.name != OTHER)

    @property
    def missing(self) -> int:
        """How many evaluations named by the tables have no score."""
        return list(self._evaluations().values()).count(False)

    @property
    def evaluations(self) -> int:
        """How many distinct evaluations the tables name."""
        return len(self._evaluations())

    def _evaluations(self) -> dict[tuple[str, int], bool]:
        return {
            (row.training, row.loops): row.run
            for table in self.tables
            if table.name != OTHER
            for row in table.rows
        }


def build_report(spec: Spec, results: Results, present: str | None) -> Report:
    """Everything computed, nothing written. Raises: ReportError."""
    setting = setting_of(results)
    tables = build_tables(spec, results, setting, present)
    return Report(
        name=results.name,
        setting=setting,
        tables=tuple(tables),
        figure2=figure2_data(results, setting),
        notes=tuple(_note_places(spec, tables)),
        trained=tuple(trained_models(results, present)),
        present=present,
        command=run_command(results),
    )


def render_page(report: Report) -> str:
    """index.html."""
    return environment().get_template("index.html.j2").render(report=report)


def write_report(report: Report, out: Path) -> list[Path]:
    """Write the page and every file that it shows or links. Raises: ReportError."""
    files = write_tables(report.tables, out) + write_figure2(report.figure2, out)
    # The page comes last: where it stands, all that it links stands too.
    return [*files, write_text(out / "index.html", render_page(report))]


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
