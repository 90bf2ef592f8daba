"""Result folders of two scales, and known sources."""

from pathlib import Path

import pytest

from tests.reports.folders import SOURCES, ResultFolder


@pytest.fixture
def smoke(tmp_path: Path) -> ResultFolder:
    """An empty result folder of scale smoke, with its data.json."""
    folder = ResultFolder(tmp_path / "results" / "smoke")
    folder.data()
    return folder


@pytest.fixture
def mini(tmp_path: Path) -> ResultFolder:
    """An empty result folder of scale mini, with its data.json."""
    folder = ResultFolder(tmp_path / "results" / "mini", "mini")
    folder.data()
    return folder


@pytest.fixture
def paper(tmp_path: Path) -> ResultFolder:
    """An empty result folder of scale paper on COCO 2017."""
    folder = ResultFolder(tmp_path / "results" / "paper", "paper")
    folder.data(coco=True)
    return folder


@pytest.fixture(autouse=True)
def present_sources(monkeypatch: pytest.MonkeyPatch) -> frozenset[str]:
    """The present sources are PRESENT, without asking the method's command line."""
    monkeypatch.setattr("reports.results.provenance.present_sources", lambda: SOURCES)
    return SOURCES
