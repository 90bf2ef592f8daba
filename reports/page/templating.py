"""The templates of the page, with what they may call; and a table as a section of it."""

import re
from collections.abc import Collection, Sequence

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from .. import own_file
from ..tables.build import Table
from ..tables.render import row_pieces, shown_roles

_TEMPLATES = own_file("page/templates")
_SUBSCRIPT = re.compile(r"\b([A-Z]{1,2})_([A-Za-z0-9]{1,2})\b")


def to_html(table: Table, shared: Collection[str] = (), above: Sequence[Table] = ()) -> Markup:
    """The table's section of the page.

    shared: statements that the page makes once for all tables. above: the tables before it on the page; their
    notes are linked.
    """
    said = {text: (one, mark) for one in reversed(above) for mark, text in one.notes}
    again = [(mark, *said[text]) for mark, text in table.notes if text in said]
    new = tuple((mark, text) for mark, text in table.notes if text not in said)
    template = environment().get_template("table.html.j2")
    return Markup(template.render(table=table, shared=shared, notes=new, again=again))


def environment() -> Environment:
    """The templates: autoescape on, unknown names are errors."""
    env = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.globals |= {"shown_roles": shown_roles, "row_pieces": row_pieces}
    env.filters |= {
        "heading": _html_heading,
        "prose": _html_prose,
        "table_html": to_html,
        "seconds": _seconds,
    }
    return env


def _seconds(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, int | float) else "unknown"


def _html_heading(text: str) -> Markup:
    return Markup(_SUBSCRIPT.sub(r"\1<sub>\2</sub>", _unbroken(text)))


def _html_prose(text: str) -> Markup:
    """A sentence: L_t and L_e alone are notation there, a device may be named B_1."""
    return Markup(re.sub(r"\bL_([te])\b", r"L<sub>\1</sub>", _unbroken(text)))


def _unbroken(text: str) -> str:
    return str(escape(text)).replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
