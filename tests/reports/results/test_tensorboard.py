"""What TensorBoard is told of a run, by a writer that keeps it, and by its own where it is installed."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from reports.__main__ import cli
from tests.reports.folders import ResultFolder

NAME = "events.out.tfevents.1.host"


class Writer:
    """Keeps the scalars in a file, as JSON lines: tag, value, step, wall time."""

    def __init__(self, folder: str) -> None:
        self.path = Path(folder, NAME)
        self.lines: list[str] = []

    def add_scalar(self, tag: str, data: float, step: int, *, wall_time: float) -> None:
        self.lines.append(json.dumps([tag, data, step, wall_time]))

    def close(self) -> None:
        self.path.write_text("\n".join(self.lines))


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module tensorboard.summary with the writer above."""
    package, module = ModuleType("tensorboard"), ModuleType("tensorboard.summary")
    module.Writer = Writer
    package.summary = module
    monkeypatch.setitem(sys.modules, "tensorboard", package)
    monkeypatch.setitem(sys.modules, "tensorboard.summary", module)


@pytest.fixture
def run(smoke: ResultFolder) -> ResultFolder:
    """Two seeds of one training, another with validated epochs, and one that still runs."""
    for seed in (0, 1):
        smoke.train("mask_1x", seed)
        smoke.curve("mask_1x", 4, seed=seed)
    smoke.train("htc")
    lines = [
        {"epoch": 1 + n // 2, "iteration": n + 1, "loss": 8.0 - n, "lr": 0.1, "seconds": 0.5}
        for n in range(4)
    ]
    smoke.write("trainings/htc/seed0/train.jsonl", "\n".join(map(json.dumps, lines)))
    line = {"epoch": 1, "loops": 3, "bbox_AP": 0.25, "segm_AP": None}
    smoke.write("trainings/htc/seed0/validation.jsonl", json.dumps(line))
    for loops in (1, 3):
        smoke.score("htc", loops, 0.4, 0.3)
    smoke.write("state/r3_advanced/seed0/abc/train.jsonl", json.dumps(lines[0]))
    return smoke


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["tensorboard", *map(str, arguments)])


def scalars(folder: Path) -> dict[tuple[str, int], tuple[float, float]]:
    """(tag, step) -> value, wall time."""
    lines: Iterator[list] = map(json.loads, (folder / NAME).read_text().splitlines())
    return {(tag, step): (value, at) for tag, value, step, at in lines}


@pytest.mark.usefixtures("writer")
def test_scalars_by_step_and_ap_by_epoch_of_every_row(run: ResultFolder, tmp_path: Path) -> None:
    result = call(run.path, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    folders = ["htc/seed0", "mask_1x/seed0", "mask_1x/seed1", "r3_advanced/seed0"]
    assert result.stdout.split() == [str(tmp_path / name) for name in folders]
    found = scalars(tmp_path / "htc/seed0")
    start = datetime.fromisoformat(run.manifest("htc")["start"]).timestamp()
    assert found["train/loss", 3] == (6.0, start + 1.5)
    assert found["train/lr", 4] == (0.1, start + 2)
    assert found["validation/box_AP_3_loops", 1] == (25.0, start + 1)  # the end of the first epoch
    assert found["score/mask_AP_1_loops", 2] == pytest.approx((30.0, start + 2))
    tags = {tag for tag, _ in found}
    assert tags == {
        "train/loss", "train/lr", "validation/box_AP_3_loops",
        *(f"score/{kind}_AP_{loops}_loops" for kind in ("box", "mask") for loops in (1, 3)),
    }  # fmt: skip
    special = [step for tag, step in scalars(tmp_path / "mask_1x/seed1") if tag == "train/special"]
    assert special == [2, 3, 4]  # the first is no number
    assert scalars(tmp_path / "r3_advanced/seed0") == {
        ("train/loss", 1): (8.0, 0.5), ("train/lr", 1): (0.1, 0.5)
    }  # fmt: skip


@pytest.mark.usefixtures("writer")
def test_a_second_call_takes_the_place_of_the_first(run: ResultFolder) -> None:
    folder = run.path / "tensorboard/htc/seed0"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.0.elsewhere").write_text("old")
    (folder / "notes.txt").write_text("mine")
    assert call(run.path).exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [NAME, "notes.txt"]
    assert [path.name for path in folder.parent.iterdir()] == ["seed0"]


def test_where_tensorboard_is_missing_one_line_says_what_to_do(
    run: ResultFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    result = call(run.path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "pip install tensorboard" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("writer")
def test_a_run_without_a_log_is_named(smoke: ResultFolder) -> None:
    result = call(smoke.path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {smoke.path}: no training has logged a step")


@pytest.mark.skipif(not importlib.util.find_spec("tensorboard"), reason="needs tensorboard")
def test_tensorboard_reads_them(run: ResultFolder, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    assert call(run.path, "--out", tmp_path).exit_code == 0
    read = EventAccumulator(str(tmp_path / "htc/seed0")).Reload()
    losses = read.Tensors("train/loss")
    assert [(one.step, float(make_ndarray(one.tensor_proto))) for one in losses] == [
        (1, 8), (2, 7), (3, 6), (4, 5),
    ]  # fmt: skip
