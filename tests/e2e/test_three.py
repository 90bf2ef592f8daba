"""Three real trainings through the whole workflow, from the data to the page."""

import csv
import re
from pathlib import Path

import pytest

from tests.faults.project import STEPS_AN_EPOCH, Project

pytestmark = [pytest.mark.slow, pytest.mark.gate]
EPOCHS = 3


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished run."""
    project = Project(tmp_path_factory.mktemp("three") / "project", EPOCHS)
    project.finish(project.snakemake())
    return project


def test_every_training_took_all_its_steps(project: Project) -> None:
    steps = EPOCHS * STEPS_AN_EPOCH
    assert project.steps() == dict.fromkeys(("mask", "naive", "advanced"), steps)


def test_the_table_has_an_ap_in_every_row(project: Project) -> None:
    with open(project.results / "report" / "own.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["Mask", "Naive", "Advanced"]
    for row in rows:
        for name in ("bbox_AP_ours", "segm_AP_ours"):
            assert 0 <= float(row[name]) <= 100, row


def test_the_page_shows_every_row(project: Project) -> None:
    page = (project.results / "report" / "index.html").read_text(encoding="utf-8")
    for training in ("mask", "naive", "advanced"):
        assert f'data-training="{training}"' in page


def test_the_log_tells_the_share_of_the_work_and_the_time_left(project: Project) -> None:
    log = (project.root / "log").read_text(encoding="utf-8")
    shares = [int(share) for share in re.findall(r"^(\d+)% of the work", log, re.MULTILINE)]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert re.search(r"^\d+% of the work, about \d+ (s|min) left$", log, re.MULTILINE)


def test_nothing_is_left_to_do(project: Project) -> None:
    log = project.root / "log"
    before = log.stat().st_size
    project.finish(project.snakemake("--dry-run"))
    assert "Nothing to be done" in Path(log).read_text(encoding="utf-8")[before:]
