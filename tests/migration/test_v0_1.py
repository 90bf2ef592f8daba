"""A results folder that version 0.1 left: a training stopped after step 7, another one finished and scored."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from r3cnn.core.layout import CHECKOUT, RunFolder
from r3cnn.core.records import METRICS

HERE = Path(__file__).resolve().parent
STEPS = 10

pytestmark = pytest.mark.slow


def run(folder: Path, *words: object, module: str = "r3cnn") -> subprocess.CompletedProcess:
    """A command of the present version, from the folder that holds results/tiny."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old results with their images drawn again."""
    folder = tmp_path_factory.mktemp("v0.1")
    shutil.copytree(HERE / "v0.1", folder / "results" / "tiny")
    run(folder, "data", "shapes", "--scale", HERE / "scale.yaml", "--out", "results/tiny/data")
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> RunFolder:
    return RunFolder(folder / "results" / "tiny")


def test_the_images_are_those_of_then(folder: Path, results: RunFolder) -> None:
    run(folder, "data", "check", "--data", "results/tiny/data", "--out", "now.json")
    then = json.loads(results.data.read_text())
    now = json.loads((folder / "now.json").read_text())
    for split in ("train", "val"):
        assert now["splits"][split]["sha256"] == then["splits"][split]["sha256"]


def test_a_stopped_training_resumes(folder: Path, results: RunFolder) -> None:
    training = results.training("mask_1x", 0)
    state = results.state("mask_1x", 0)
    (log,) = state.glob("*/train.jsonl")
    before = log.read_text().splitlines()
    assert len(before) == 7
    done = run(
        folder, "train", "--config", training.config.relative_to(folder),
        "--out", training.path.relative_to(folder), "--state", state.relative_to(folder),
    )  # fmt: skip
    assert "resuming after step 7 of 10" in done.stderr
    lines = training.log.read_text().splitlines()
    assert len(lines) == STEPS
    assert lines[:7] == before
    manifest = json.loads(training.manifest.read_text())
    assert manifest["iterations"] == STEPS
    assert len(manifest["attempts"]) == 2
    assert training.checkpoint.is_file()


def test_a_finished_training_scores_as_then(folder: Path, results: RunFolder) -> None:
    score = results.score("r3_2loops", 0, 2)
    then = json.loads(score.read_text())
    run(
        folder, "score", "--predictions", results.predictions("r3_2loops", 0), "--loops", 2,
        "--annotations", "results/tiny/data/annotations/instances_val2017.json", "--out", "now.json",
    )  # fmt: skip
    now = json.loads((folder / "now.json").read_text())
    for kind in ("bbox", "segm"):
        assert tuple(then[kind]) == METRICS
        assert {name: now[kind][name] for name in METRICS} == then[kind]
        assert now[kind].keys() > then[kind].keys()
    assert then["bbox"]["AP"] > 0


def test_it_is_reported(folder: Path, results: RunFolder) -> None:
    found = run(
        folder, "status", "--scale", HERE / "scale.yaml", "--results", "results/tiny"
    ).stdout
    assert "r3_2loops" in found
    run(folder, "html", "--results", results.path, "--out", "report", module="reports")
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "r3_2loops" in page
    table = (folder / "report" / "table3.csv").read_text(encoding="utf-8")
    assert "0.6" in table
