"""A finished table as LaTeX."""

from .build import Block, Table
from .render import ESCAPED, Piece, row_pieces, shown_roles
from .spec import PAPER

_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "\N{MINUS SIGN}": "$-$", "±": r"$\pm$", "\N{EN DASH}": "--", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}",
    "[": "{[}", "]": "{]}",
}  # fmt: skip


def to_latex(table: Table) -> str:
    """A LaTeX table (packages booktabs, textcomp; T1 fonts), one tabular a block."""
    out = [
        "% Needs \\usepackage[T1]{fontenc}, \\usepackage{booktabs,graphicx}.",
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{_tex(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
    ]
    for block in table.blocks:
        out += _tex_tabular(table, block)
    out += [r"\begin{flushleft}\footnotesize"]
    out += [f"{_tex(line)}\\par" for line in table.plain_statements]
    out += [
        rf"\textsuperscript{{{_tex(mark)}}}~{_tex(text)}\par"
        for mark, text in (*table.source_notes, *table.notes)
    ]
    return "\n".join([*out, r"\end{flushleft}", r"\end{table}"]) + "\n"


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in " ".join(text.split()))


def _tex_ranked(piece: Piece) -> str:
    mark = {"best": r"\textbf{%s}", "second": r"\underline{%s}"}.get(piece.rank, "%s")
    return mark % _tex(piece.text) + (f" {_tex(piece.spread)}" if piece.spread else "")


def _tex_heading(text: str) -> str:
    return ESCAPED.sub(r"\1\\textsubscript{\2}", _tex(text))


def _tex_tabular(table: Table, block: Block) -> list[str]:
    layout, above, below, rules = "l", ["Model"], [""], []
    names = {PAPER: _tex(table.publisher), "ours": "ours", "difference": "diff."}
    position = 2
    for column in block.columns:
        subs = shown_roles(table, column)
        width = len(subs)
        heading = _tex_heading(column.heading)
        if column.published and width > 1:
            above.append(rf"\multicolumn{{{width}}}{{c}}{{{heading}}}")
            below += [names[role] for role in subs]
            rules.append(rf"\cmidrule(lr){{{position}-{position + width - 1}}}")
        else:
            above.append(heading)
            below.append("")
        layout += "l" if column.kind == "constant" else "r" * width
        position += width
    title = [rf"\par\smallskip {_tex(block.title)}\par"] if block.title else []
    body = []
    for row in table.rows:
        marks = ",".join(_tex(mark) for mark in table.row_marks(row))
        label = _tex(row.label) + (rf"\textsuperscript{{{marks}}}" if marks else "")
        body.append(
            " & ".join([label] + [_tex_ranked(p) for p in row_pieces(table, block, row)]) + r" \\"
        )
    head = [" & ".join(above) + r" \\", *rules, " & ".join(below) + r" \\"]
    return [
        *title,
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        *head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
    ]
