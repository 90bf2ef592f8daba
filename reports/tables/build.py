"""A table is a function of its spec and the tidy frame."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal

import pandas as pd

from r3cnn.core.layout import NAMES

from ..results.differences import Side, difference_of
from ..results.intervals import POINTS, cell_interval, scored, taken_in
from ..results.load import Results
from ..results.provenance import OTHER_SOURCES, UNKNOWN, given_weights, row_sources
from ..results.setting import Setting, measured_on, run_command
from .numbers import Number, difference, published_number, summarise, verdict
from .spec import OTHER, PAPER, Column, Row, Spec, TableSpec

VALUE, NOT_RUN, NO_VALUE = "value", "not run", "no value"
NO_OBJECTS = "no objects"
GIVEN = "§"
INTERVALS = "The 95 % intervals next to our APs take in {}."
DIFFERENCES = (
    "Differences are taken between a row and the row that it is compared with, paired over the images and, for "
    "two evaluations of the same weights, over the seeds that both have; their 95 % intervals take in {}."
)
EXACT = (
    "Parameters and sizes are computed from the paper's own models, at every scale: a difference of 0 "
    "is exact."
)


# Of rows that the present sources did not make: their mark, its meaning, and what is said where that holds of all.
SOURCES = {
    OTHER_SOURCES: (
        "†",
        "Trained or scored by other sources than the present ones.",
        "All rows were trained or scored by other sources than the present ones.",
    ),
    UNKNOWN: (
        "‡",
        "It is unknown whether the present sources made this row.",
        "It is unknown whether the present sources made these rows.",
    ),
}


@dataclass(frozen=True)
class Cell:
    """What a row has in a column.

    status: value, not run (no result file), or no value (the file says null).
    verdict: match, near, different, or '' where nothing is judged; exact, at any scale, of what is
        counted and equal.
    text: the content of a constant's cell.
    interval: 95 % over images and seeds, in points of AP.
    compared: ours by the metric that is compared with the paper's, where that is not the one shown.
    paper_rank, rank: best, second or '' among the paper's and among our numbers of the column.
    """

    status: str = VALUE
    paper: Decimal | None = None
    ours: Number | None = None
    difference: Decimal | None = None
    verdict: str = ""
    text: str = ""
    interval: tuple[Decimal, Decimal] | None = None
    paper_rank: str = ""
    rank: str = ""
    compared: Number | None = None


@dataclass(frozen=True)
class TableRow:
    """One evaluation's cells by column name; sources: present, other, unknown, '' if not run.

    command: what runs the row; given: where its weights come from, if it was not trained here.
    """

    label: str
    training: str
    loops: int
    seeds: tuple[int, ...]
    sources: str
    notes: tuple[str, ...]
    cells: dict[str, Cell]
    command: str = ""
    given: str = ""

    @property
    def run(self) -> bool:
        """Whether the evaluation has a score."""
        return bool(self.seeds)


@dataclass(frozen=True)
class Block:
    """Columns shown side by side; a table that is too wide has several blocks."""

    title: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Table:
    """A finished table; `notes` are (mark, text), in the order of their first use."""

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[tuple[str, str], ...]
    marks: dict[str, str]
    general_notes: tuple[str, ...]
    setting: Setting
    measured_on: str
    taken_in: str  # by the intervals
    publisher: str = PAPER  # of the published numbers

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The columns by group, those of no group first in each; one block if nobody groups."""
        shared = tuple(column for column in self.columns if not column.group)
        groups = dict.fromkeys(column.group for column in self.columns if column.group)
        if not groups:
            return (Block("", shared),)
        return tuple(
            Block(group, shared + tuple(c for c in self.columns if c.group == group))
            for group in groups
        )

    @property
    def statements(self) -> tuple[str, ...]:
        """What must be known to read the table with its intervals: scale, data, device, meaning."""
        return self._statements(intervals=True)

    @property
    def plain_statements(self) -> tuple[str, ...]:
        """The same for a form that prints no intervals of our APs."""
        return self._statements(intervals=False)

    @property
    def meaning(self) -> tuple[str, ...]:
        """What its differences from published APs mean, a sentence for each way of judging them."""
        whose = "the paper" if self.publisher == PAPER else self.publisher
        judged = {column.compare for column in self.columns if column.published}
        found = []
        if "ap" in judged or self.setting.meaningless:
            found.append(self.setting.meaning_beside(whose))
        if "weights" in judged and not self.setting.meaningless:
            found.append(self.setting.meaning_of_weights(whose))
        return tuple(found)

    def _statements(self, intervals: bool) -> tuple[str, ...]:
        lines = [self.setting.line, *self.meaning]
        kinds = {column.kind for column in self.columns if self._with_interval(column.name)}
        lines += [
            text.format(self.taken_in)
            for kind, text in (("score", INTERVALS), ("difference", DIFFERENCES))
            if kind in kinds and (intervals or kind != "score")
        ]
        if any(cell.paper_rank for row in self.rows for cell in row.cells.values()):
            lines.append("In each column the best is bold, the second best underlined.")
        if any(column.compare == "exact" and column.published for column in self.columns):
            lines.append(EXACT)
        device = [column for column in self.columns if column.compare == "device"]
        if device:
            lines.append(
                f"Our speed and memory were measured on: {self.measured_on}."
                if self.measured_on
                else "Our speed and memory: not measured."
            )
        if any(column.published for column in device):
            lines.append(
                "The paper's speed and memory are those of V100 GPUs; they are not judged."
            )
        if self._same_sources in SOURCES:
            lines.append(SOURCES[self._same_sources][2])
        return (*lines, *self.general_notes)

    @property
    def _same_sources(self) -> str | None:
        """What made all rows, where that is the same: a mark on each would tell none from another."""
        made = [row.sources for row in self.rows if row.run]
        return made[0] if len(made) > 1 and len(set(made)) == 1 else None

    def _with_interval(self, column: str) -> bool:
        return any(row.cells[column].interval for row in self.rows)

    @property
    def source_notes(self) -> tuple[tuple[str, str], ...]:
        """The marks of rows of other sources than the present, or of given weights; their meaning."""
        present = {row.sources for row in self.rows} - {self._same_sources}
        notes = [SOURCES[sources][:2] for sources in SOURCES if sources in present]
        given = dict.fromkeys(f"{row.training} from {row.given}" for row in self.rows if row.given)
        if given:
            notes.append((GIVEN, f"Not trained here, its weights were given: {'; '.join(given)}."))
        return tuple(notes)

    def row_marks(self, row: TableRow) -> tuple[str, ...]:
        """The marks behind a row's label."""
        marked = row.sources in SOURCES and row.sources != self._same_sources
        source = (SOURCES[row.sources][0],) if marked else ()
        given = (GIVEN,) if row.given else ()
        return source + given + tuple(sorted(self.marks[name] for name in row.notes))


def build_table(
    spec: TableSpec,
    notes: dict[str, str],
    results: Results,
    setting: Setting,
    present: Collection[str] | None,
) -> Table:
    """Fill a table from the results; `present` is the hash of the present sources, if known."""
    names = dict.fromkeys(name for row in spec.rows for name in row.notes)
    marks = {name: chr(ord("a") + index) for index, name in enumerate(names)}
    rows = [_table_row(spec, row, results, setting, present) for row in spec.rows]
    if spec.mark_best:
        whole = all(row.run for row in rows)  # the best of some rows may not be the best of all
        rows = _ranked(spec.columns, rows, ours=whole and not setting.meaningless)
    return Table(
        name=spec.name,
        title=spec.title,
        caption=spec.caption,
        columns=spec.columns,
        rows=tuple(rows),
        notes=tuple((marks[name], notes[name]) for name in names),
        marks=marks,
        general_notes=tuple(notes[name] for name in spec.notes),
        setting=setting,
        measured_on=measured_on(results, [row.training for row in spec.rows]),
        taken_in=taken_in(results),
        publisher=spec.publisher,
    )


def build_tables(
    spec: Spec, results: Results, setting: Setting, present: Collection[str] | None
) -> list[Table]:
    """Every table of the spec, and behind them the rows that no table names."""
    specs = [*spec.tables.values(), other_rows(spec, results)]
    return [build_table(table, spec.notes, results, setting, present) for table in specs]


def other_rows(spec: Spec, results: Results) -> TableSpec:
    """The table of the evaluations that have a score and are in no table."""
    named = spec.evaluations()
    rows = [
        Row(label=training, training=training, loops=loops)
        for training, loops in results.evaluations()
        if (training, loops) not in named
    ]
    ap = [
        Column(f"{task}_{metric}", f"{heading} {shown}", "score", f"{task}.{metric}", "percent")
        for task, heading in (("bbox", "Box"), ("segm", "Mask"))
        for metric, shown in (("AP", "AP"), ("AP50", "AP_50"), ("AP75", "AP_75"))
    ]
    columns = [
        Column("L_e", "L_e", "constant", "loops", "text"),
        *ap,
        Column("params_k", "Parameters (K)", "measurement", "parameters.trainable", "thousands"),
        Column("model_size_mb", "Size (MB)", "measurement", "checkpoint.print_mb", "integer"),
        Column(
            "speed_img_s",
            "Speed (images/s)",
            "measurement",
            "speed.images_per_second",
            "decimal",
            "device",
        ),
        Column(
            "memory_gb", "Memory (GB)", "measurement", "memory.training_gib", "decimal", "device"
        ),
    ]
    return TableSpec(
        OTHER,
        "Other rows",
        "Evaluations that are in no table of the paper.",
        tuple(columns),
        tuple(rows),
    )


def _table_row(
    spec: TableSpec, row: Row, results: Results, setting: Setting, present: Collection[str] | None
) -> TableRow:
    frame = results.frame[results.frame["training"] == row.training]
    # Parameters belong to the training, speed and scores to the evaluation.
    frame = frame[frame["loops"].isna() | (frame["loops"] == row.loops).fillna(False)]
    seeds = sorted(
        seed
        for training, seed, loops in results.score_provenance
        if (training, loops) == (row.training, row.loops)
    )
    made = {"score": bool(seeds), "measurement": row.training in results.measured}
    return TableRow(
        row.label,
        row.training,
        row.loops,
        tuple(seeds),
        row_sources(results, row.training, row.loops, present),
        row.notes,
        {
            column.name: _cell(column, row, frame, made.get(column.kind, True), results, setting)
            for column in spec.columns
        },
        run_command(
            results,
            NAMES.score(row.training, 0, row.loops).as_posix(),
            NAMES.measurement(row.training).as_posix(),
        ),
        given_weights(results, row.training) if seeds else "",
    )


def _ranked(columns: tuple[Column, ...], rows: list[TableRow], ours: bool) -> list[TableRow]:
    """Best and second best of each column of APs marked; where all are equal, none is."""
    cells = [dict(row.cells) for row in rows]
    for column in columns:
        if column.compare not in ("ap", "weights"):
            continue
        papers = _ranks([row[column.name].paper for row in cells])
        found = [row[column.name].ours for row in cells]
        own = _ranks([number.mean if number and ours else None for number in found])
        for row, first, second in zip(cells, papers, own, strict=True):
            row[column.name] = replace(row[column.name], paper_rank=first, rank=second)
    return [replace(row, cells=of_row) for row, of_row in zip(rows, cells, strict=True)]


def _ranks(values: list[Decimal | None]) -> list[str]:
    order = sorted({value for value in values if value is not None}, reverse=True)
    names = dict(zip(order, ("best", "second"), strict=False)) if len(order) > 1 else {}
    return [names.get(value, "") for value in values]


def _cell(
    column: Column, row: Row, frame: pd.DataFrame, made: bool, results: Results, setting: Setting
) -> Cell:
    if column.kind == "constant":
        constants = {"loops": row.loops, "training": row.training} | row.constants
        return Cell(text=str(constants[column.key]))
    if column.kind == "difference":
        return _compared(column, row, results)
    paper = published_number(row.published.get(column.published, ""))
    values = frame.loc[frame["metric"] == column.key, "value"].dropna().tolist()
    if not values:
        return Cell(NO_VALUE if made else NOT_RUN, paper)
    ours = summarise(values, column.format)
    interval = _interval(column, row, results)
    if paper is None:
        return Cell(VALUE, None, ours, interval=interval)
    compared = _by_papers_metric(column, frame)
    if column.compared_as and compared is None:  # scored before that metric was
        return Cell(VALUE, paper, ours, interval=interval)
    delta = difference((compared or ours).mean, paper)
    said = verdict(delta, column.compare, setting.comparable)
    return Cell(VALUE, paper, ours, delta, said, interval=interval, compared=compared)


def _by_papers_metric(column: Column, frame: pd.DataFrame) -> Number | None:
    """Ours by the metric that the paper's number is of; None where that is the column's own, or not scored."""
    values = frame.loc[frame["metric"] == column.compared_as, "value"].dropna().tolist()
    return summarise(values, column.format) if values else None


def _compared(column: Column, row: Row, results: Results) -> Cell:
    """The row's AP minus the other row's, with the interval where both were scored on the same images."""
    if row.against is None:
        return Cell(NO_VALUE)
    own = (row.training, row.loops)
    if not {own, row.against} <= set(results.evaluations()):
        return Cell(NOT_RUN)
    found = difference_of(*(Side(results, *side) for side in (own, row.against)), column.key)
    if found is None:
        return Cell(NO_VALUE, text=NO_OBJECTS)
    number = summarise([found.value / POINTS], column.format)
    if found.interval is None:
        return Cell(VALUE, None, number)
    low, high = (summarise([bound / POINTS], column.format).mean for bound in found.interval.bounds)
    return Cell(VALUE, None, number, interval=(low, high))


def _interval(column: Column, row: Row, results: Results) -> tuple[Decimal, Decimal] | None:
    """As shown: in points, to one decimal."""
    if column.kind != "score" or column.format != "percent":
        return None
    found = cell_interval(scored(results, row.training, row.loops, column.key))
    if found is None:
        return None
    low, high = (summarise([bound / POINTS], "percent").mean for bound in found.bounds)
    return low, high
