"""A finished table as texts by role, and as CSV and Markdown. Nothing is computed here."""

import csv
import io
import re
from dataclasses import dataclass

from .build import NO_OBJECTS, NOT_RUN, VALUE, Block, Cell, Table, TableRow
from .numbers import signed
from .spec import PAPER, Column

ESCAPED = re.compile(r"\b([A-Z]{1,2})\\_([A-Za-z0-9]{1,2})\b")
_NONE = "\N{EN DASH}"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~!$])")


@dataclass(frozen=True)
class Piece:
    """One text of a row: its role (constant, paper, ours or difference) and its look.

    interval: the 95 % interval in words; rank: best, second or ''.
    """

    text: str
    role: str
    verdict: str = ""
    spread: str = ""
    absent: bool = False
    interval: str = ""
    rank: str = ""
    column: Column | None = None


def roles(column: Column) -> tuple[str, ...]:
    """The sub-columns of a column: three where the paper has a number."""
    if column.kind == "constant":
        return ("constant",)
    if column.kind == "difference":
        return ("difference",)
    return ("paper", "ours", "difference") if column.published else ("ours",)


def pieces(column: Column, cell: Cell) -> list[Piece]:
    """A cell's texts, one for each sub-column, in Unicode."""
    if column.kind == "constant":
        return [Piece(cell.text, "constant")]
    if column.kind == "difference":
        return [_compared(cell)]
    if cell.ours is None:
        missing = "not run" if cell.status == NOT_RUN else _no_value(column)
        ours = Piece(missing, "ours", absent=True, column=column)
    else:
        std = cell.ours.std
        spread = "" if std is None else f"± {std} (n={cell.ours.n})"
        interval = "{} to {}".format(*cell.interval) if cell.interval else ""
        text = str(cell.ours.mean)
        ours = Piece(text, "ours", "", spread, False, interval, cell.rank, column)
    if not column.published:
        return [ours]
    delta = _NONE if cell.difference is None else signed(cell.difference)
    paper = _NONE if cell.paper is None else str(cell.paper)
    return [
        Piece(paper, "paper", rank=cell.paper_rank),
        ours,
        Piece(delta, "difference", cell.verdict, column=column),
    ]


def to_csv(table: Table) -> str:
    """One line a row: <column>_paper, _ours, _difference; _std, _n with several seeds; _low, _high.

    _compared: ours by the metric of the published number, where the column shows another one.
    `weights`, where some row was not trained here: where its weights come from.
    """
    ranged = {
        column.name
        for column in table.columns
        for row in table.rows
        if row.cells[column.name].interval
    }
    several = {
        column.name
        for column in table.columns
        for row in table.rows
        if (ours := row.cells[column.name].ours) and ours.std is not None
    }
    given = any(row.given for row in table.rows)
    lines = []
    for number, row in enumerate(table.rows, 1):
        line: dict[str, object] = {
            "row": number,
            "label": row.label,
            "training": row.training,
            "loops": row.loops,
            "status": "run" if row.run else NOT_RUN,
            "seeds": " ".join(map(str, row.seeds)),
            "sources": row.sources,
        }
        line |= {"weights": row.given} if given else {}
        for column in table.columns:
            cell = row.cells[column.name]
            line |= _csv_values(column, cell, column.name in several, column.name in ranged)
        line |= {"scale": table.setting.scale, "data": table.setting.data}
        line |= {"device": table.setting.device}
        if any(column.compare == "device" for column in table.columns):
            line["measured_on"] = table.measured_on
        lines.append(line)
    buffer = io.StringIO()
    header = list(lines[0]) if lines else ["row", "label", "training", "loops", "status"]
    writer = csv.DictWriter(buffer, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def to_markdown(table: Table) -> str:
    """A GitHub Markdown section: heading, one pipe table a block, notes."""
    out = [f"## {_md(table.title)}", "", _md(table.caption), ""]
    for block in table.blocks:
        out += [f"### {_md(block.title)}", ""] if block.title else []
        header, align = ["Model"], [":--"]
        for column in block.columns:
            heading = ESCAPED.sub(r"\1<sub>\2</sub>", _md(column.heading))
            for role in shown_roles(table, column):
                shown = table.publisher if role == PAPER else role
                header.append(f"{heading} {shown}" if column.published else heading)
                align.append(":--" if role == "constant" else "--:")
        out += [_md_line(header), _md_line(align)]
        for row in table.rows:
            marks = ", ".join(table.row_marks(row))
            cells = [_md(row.label) + (f" <sup>{marks}</sup>" if marks else "")]
            cells += [_md_ranked(piece) for piece in row_pieces(table, block, row)]
            out.append(_md_line(cells))
        out += [] if table.rows else ["", "None."]
        out.append("")
    out += [f"- {_md(line)}" for line in table.plain_statements]
    out += [
        f"- <sup>{mark}</sup> {_md(text)}" for mark, text in (*table.source_notes, *table.notes)
    ]
    return "\n".join(out) + "\n"


def shown_roles(table: Table, column: Column) -> tuple[str, ...]:
    """The sub-columns that are shown: no difference from a number that ours cannot be compared with.

    A CSV file holds it all the same.
    """
    found = roles(column)
    if column.published and column.compare != "exact" and not table.setting.comparable:
        return tuple(role for role in found if role != "difference")
    return found


def row_pieces(table: Table, block: Block, row: TableRow) -> list[Piece]:
    """The texts of a row within a block, as shown_roles chooses them."""
    return [
        piece
        for column in block.columns
        for piece in pieces(column, row.cells[column.name])
        if piece.role in shown_roles(table, column)
    ]


def _compared(cell: Cell) -> Piece:
    """A difference of two rows; nothing where the row stands against none."""
    if cell.ours is None:
        return Piece(NOT_RUN if cell.status == NOT_RUN else cell.text, "difference", absent=True)
    interval = "({} to {})".format(*map(signed, cell.interval)) if cell.interval else ""
    return Piece(signed(cell.ours.mean), "difference", spread=interval)


def _no_value(column: Column) -> str:
    return NO_OBJECTS if column.kind == "score" else "not measured"


def _csv_values(column: Column, cell: Cell, several: bool, ranged: bool) -> dict[str, object]:
    if column.kind == "constant":
        return {column.name: cell.text}
    ours = cell.ours if cell.status == VALUE else None
    name = column.name
    values: dict[str, object] = {f"{name}_paper": cell.paper} if column.published else {}
    values[f"{name}_ours"] = ours.mean if ours else None
    if several:
        values |= {f"{name}_std": ours.std if ours else None, f"{name}_n": ours.n if ours else None}
    if ranged:
        low, high = cell.interval or (None, None)
        values |= {f"{name}_low": low, f"{name}_high": high}
    if column.compared_as:
        values[f"{name}_compared"] = cell.compared.mean if cell.compared else None
    if column.published:
        values[f"{name}_difference"] = cell.difference
    return values


def _md(text: str) -> str:
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", plain)


def _md_ranked(piece: Piece) -> str:
    before, after = {"best": ("**", "**"), "second": ("<u>", "</u>")}.get(piece.rank, ("", ""))
    spread = f" {_md(piece.spread)}" if piece.spread else ""
    return f"{before}{_md(piece.text)}{after}{spread}"


def _md_line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
