"""tables.yaml: which evaluations are in which rows, and the paper's numbers for them."""

import csv
import io
import os
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from r3cnn.core.errors import UserError
from r3cnn.core.files import read_text

from .. import own_file
from .validated import read_valid

DEFAULT_TABLES = own_file("tables.yaml")
SCHEMA = own_file("schemas/tables.schema.yaml")
OTHER = "other"
PAPER = "paper"
OF_EACH_ROW = ("loops", "training", "against")  # columns of constants may show them


@dataclass(frozen=True)
class Column:
    """A column: its source (kind: score, difference, measurement or constant; key) and its look.

    compared_as: the score that is compared with the published number, if it is another one than the key.
    """

    name: str
    heading: str
    kind: str
    key: str
    format: str
    compare: str = ""
    published: str = ""
    group: str = ""
    compared_as: str = ""


@dataclass(frozen=True)
class Row:
    """A row: one evaluation, its constants, and the paper's numbers by the names of its CSV.

    against: the (training, loops) of the row that it is to be compared with.
    """

    label: str
    training: str
    loops: int
    constants: dict[str, Any] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    against: tuple[str, int] | None = None


@dataclass(frozen=True)
class TableSpec:
    """One table; `notes` are names in Spec.notes; mark_best: best and second best of each AP.

    publisher: whose the published numbers are.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    mark_best: bool = False
    publisher: str = PAPER


@dataclass(frozen=True)
class Spec:
    """All tables of one file, and the texts of the notes that they name.

    parents: training -> the training that it is a variant of.
    charts: heat maps and scatter plots by name, as the schema's `chart` says; see controls.py.
    """

    tables: dict[str, TableSpec]
    notes: dict[str, str]
    parents: dict[str, str] = field(default_factory=dict)
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def evaluations(self) -> set[tuple[str, int]]:
        """The (training, loops) of all rows."""
        return {(row.training, row.loops) for table in self.tables.values() for row in table.rows}


def load_spec(path: Path = DEFAULT_TABLES, above: tuple[Path, ...] = ()) -> Spec:
    """Read and check a tables file, those that it extends, and the published numbers that they name.

    above: the files that extend this one. Raises: UserError.
    """
    content = read_valid(path, SCHEMA)
    if OTHER in content["tables"]:
        raise UserError(
            f"{path}: tables.{OTHER}: this name is taken by the table of rows that no table "
            "names; give the table another name"
        )
    base = Spec({}, {})
    if "extends" in content:
        if path in above:
            raise UserError(f"{path}: extends: leads back to this file; remove it from one")
        base = load_spec(Path(os.path.normpath(path.parent / content["extends"])), (*above, path))
    own = {name: " ".join(text.split()) for name, text in content.get("notes", {}).items()}
    notes = _joined(path, "notes", base.notes, own)
    tables = {name: _table(path, name, entry, notes) for name, entry in content["tables"].items()}
    return Spec(
        _joined(path, "tables", base.tables, tables),
        notes,
        base.parents | content.get("parents", {}),
        _joined(path, "charts", base.charts, content.get("charts", {})),
    )


def _joined(path: Path, key: str, base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    both = sorted(base.keys() & own.keys())
    if both:
        raise UserError(
            f"{path}: {key}.{both[0]}: is also in the file that this one extends; rename it"
        )
    return base | own


def _table(path: Path, name: str, entry: dict[str, Any], notes: dict[str, str]) -> TableSpec:
    where = f"{path}: tables.{name}"
    columns = tuple(_column(column) for column in entry["columns"])
    names = [column.name for column in columns]
    for column_name in names:
        if names.count(column_name) > 1:
            raise UserError(f"{where}.columns: two columns are named {column_name!r}; rename one")
    numbers = _published(path.parent / entry["published"]) if "published" in entry else None
    rows = []
    for index, row in enumerate(entry["rows"]):
        at = f"{where}.rows.{index}"
        rows.append(_row(at, row, columns, numbers, _against(at, row, entry["rows"])))
        _check_notes(at, row.get("notes", []), notes)
    _check_notes(where, entry.get("notes", []), notes)
    return TableSpec(
        name,
        entry["title"],
        " ".join(entry["caption"].split()),
        columns,
        tuple(rows),
        tuple(entry.get("notes", [])),
        entry.get("mark_best", False),
        entry.get("publisher", PAPER),
    )


def _column(entry: dict[str, Any]) -> Column:
    [(kind, key)] = entry["source"].items()
    plain = {name: value for name, value in entry.items() if name != "source"}
    return Column(kind=kind, key=key, **plain)


def _row(
    where: str,
    entry: dict[str, Any],
    columns: tuple[Column, ...],
    numbers: dict[int, dict[str, str]] | None,
    against: tuple[str, int] | None,
) -> Row:
    constants = entry.get("constants", {})
    for column in columns:
        if column.kind == "constant" and column.key not in {*constants, *OF_EACH_ROW}:
            raise UserError(
                f"{where}.constants: no {column.key!r}, which the column {column.name!r} shows; "
                "add it to the row"
            )
    published: dict[str, str] = {}
    if "published" in entry:
        if numbers is None or entry["published"] not in numbers:
            found = "the table names no CSV" if numbers is None else f"it has rows {list(numbers)}"
            raise UserError(
                f"{where}.published: no row {entry['published']} in the published numbers: {found}"
            )
        published = numbers[entry["published"]]
        for column in columns:
            if column.published and column.published not in published:
                raise UserError(
                    f"{where}: the published numbers have no column {column.published!r}, which "
                    f"the column {column.name!r} shows; they have {list(published)}"
                )
            if column.published:
                _require_number(
                    f"{where}: published number {column.published}", published[column.published]
                )
    return Row(
        entry["label"],
        entry["training"],
        entry["loops"],
        {"against": entry.get("against", ""), **constants},
        published,
        tuple(entry.get("notes", [])),
        against,
    )


def _against(
    where: str, entry: dict[str, Any], rows: list[dict[str, Any]]
) -> tuple[str, int] | None:
    """The evaluation of the row whose label the entry names."""
    if "against" not in entry:
        return None
    found = [(row["training"], row["loops"]) for row in rows if row["label"] == entry["against"]]
    if len(found) != 1:
        raise UserError(
            f"{where}.against: {len(found) or 'no'} row{'s' * (len(found) > 1)} of this table with the label "
            f"{entry['against']!r}; expected the label of one row"
        )
    if found[0] == (entry["training"], entry["loops"]):
        raise UserError(f"{where}.against: it is the same evaluation; name another row")
    return found[0]


def _check_notes(where: str, names: list[str], notes: dict[str, str]) -> None:
    for name in names:
        if name not in notes:
            raise UserError(f"{where}.notes: no note {name!r}; there are {sorted(notes)}")


def _published(path: Path) -> dict[int, dict[str, str]]:
    lines = list(csv.DictReader(io.StringIO(read_text(path))))
    rows: dict[int, dict[str, str]] = {}
    for line in lines:
        number = line.get("row") or ""
        if not number.isdigit() or int(number) in rows:
            raise UserError(
                f"{path}: row: found {number!r}, expected the rows' numbers, each one once"
            )
        rows[int(number)] = {key: value or "" for key, value in line.items() if key is not None}
    return rows


def _require_number(where: str, text: str) -> None:
    try:
        known = not text or Decimal(text).is_finite()
    except InvalidOperation:
        known = False
    if not known:
        raise UserError(
            f"{where}: found {text!r}, expected a number, or nothing if none is published"
        )
