"""The documents name files that are there."""

import re
from pathlib import Path

import pytest

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.config.resolve import resolve

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


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_readme_leads_to_the_tutorial_and_can_be_read_in_one_sitting():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(docs/tutorial.md)" in text
    assert text.count("\n") <= 150


def test_the_readmes_row_without_code_resolves(tmp_path):
    (shown,) = [text for text in blocks("README.md", "yaml") if "steep" in text]
    (tmp_path / "mine.yaml").write_text(shown)
    catalogue = load_catalogue(tmp_path / "mine.yaml")
    cfg = resolve(catalogue.trainings["steep"], load_scale("smoke"), seed=0)
    assert catalogue.evaluations["steep"] == (3, 4)
    assert cfg.model.roi_head.iou_thresholds == [0.5, 0.65, 0.8]
