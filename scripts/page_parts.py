"""The parts of a page that a script beside this one writes: from `<!-- made: NAME -->` to `<!-- end -->`."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

BEGIN, END = "<!-- made: ", "<!-- end -->"
PART = re.compile(rf"{BEGIN}(\w+) -->\n(.*?){END}", re.DOTALL)


def parts(page: str) -> dict[str, str]:
    """The text of each part that stands on the page."""
    return {found[1]: found[2] for found in PART.finditer(page)}


def renewed(page: str, makers: Mapping[str, Callable[[], str]]) -> str:
    """The page with its parts made anew. Raises ValueError for none, one without an end, or one unknown."""
    if not (held := parts(page)):
        raise ValueError(f"the page has no part {BEGIN}NAME --> ... {END}")
    if {page.count(BEGIN), page.count(END)} != {len(held)}:
        raise ValueError(
            f"each {BEGIN}NAME --> needs a line of its own, a name, and {END} behind it"
        )
    if unknown := held.keys() - makers.keys():
        raise ValueError(f"the page has a part {min(unknown)}, expected {', '.join(makers)}")
    return PART.sub(lambda found: f"{BEGIN}{found[1]} -->\n{makers[found[1]]()}\n{END}", page)


def write(path: Path, text: str) -> None:
    """Put the text there at once, or not at all."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
