"""The documents name files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("docs/extending.md", "docs/tutorial.md", "docs/architecture.md", "README.md")
IN_TICKS = re.compile(
    r"`((?:docs|experiments|r3cnn|reports|scripts|tests|workflow)/[\w/.-]*\w(?:/|\.\w+))`"
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)\)")


def missing(page: Path, text: str) -> list[str]:
    named = [ROOT / name for name in IN_TICKS.findall(text)]
    linked = [page.parent / name for name in LINK.findall(text)]
    return sorted(str(path.relative_to(ROOT)) for path in named + linked if not path.exists())


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert IN_TICKS.findall(text) + LINK.findall(text)
    assert missing(ROOT / page, text) == []


def test_a_missing_file_is_found():
    text = "see `r3cnn/none.py`, [x](none.md) and `tests/`"
    assert missing(ROOT / "docs" / "x.md", text) == ["docs/none.md", "r3cnn/none.py"]
