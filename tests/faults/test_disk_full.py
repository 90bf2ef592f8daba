"""A disk that fills up: one line that names the file, nothing corrupt, and all goes on after space is made."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from r3cnn.core.files import NO_SPACE
from tests.faults.runs import EVERY_STEP, Run, command, train
from tests.reports.folders import ResultFolder

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def limit(size: int) -> None:
    """No file of this process may grow beyond so many bytes; Python ignores the signal for it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limited(size: int, *arguments: object) -> None:
    """A command that meets the limit once the network is loaded."""
    from r3cnn.evaluation import predict

    def load(*of):
        limit(size)
        return original(*of)

    original, predict.load_detector = predict.load_detector, load
    command(*arguments)


@pytest.mark.parametrize("size", [70_000, 20_000])
def test_no_space_for_a_checkpoint(warm, undisturbed, tmp_path, size):
    expected = undisturbed("mask_rcnn")
    assert (expected.out / "checkpoint.pth").stat().st_size > 100_000
    run = Run(expected.config, tmp_path, EVERY_STEP)
    ended = warm.run(tmp_path / "1.log", train, run, limit, size)
    assert ended.code == 1
    assert "step_00000001.pth: cannot be written (File too large)" in ended.error
    assert "raise the limit of file sizes" in ended.error
    assert "run the same command again" in ended.error
    assert not run.checkpoints
    assert not run.out.exists()
    assert not list(run.folder.rglob(".*"))
    assert warm.run(tmp_path / "2.log", train, run).code == 0
    assert run.result() == expected.result()


def test_no_space_in_the_folder_of_temporary_files(warm, undisturbed, tmp_path):
    """mmengine copies a config there to read it."""
    run = Run(undisturbed("mask_rcnn").config, tmp_path)
    ended = warm.run(tmp_path / "1.log", train, run, limit, 3_000)
    assert ended.code == 1
    assert "mask_rcnn.py: cannot be written (File too large)" in ended.error


def test_no_space_for_the_results_of_a_finished_training(warm, undisturbed, tmp_path):
    expected = undisturbed("mask_rcnn")
    run = Run(expected.config, tmp_path)
    assert warm.run(tmp_path / "1.log", train, run).code == 0
    before = {path: path.read_bytes() for path in run.out.iterdir()}
    ended = warm.run(tmp_path / "2.log", train, run, limit, 70_000)
    assert ended.code == 1
    assert f"{run.out / 'checkpoint.pth'}: cannot be written" in ended.error
    assert {path: path.read_bytes() for path in run.out.iterdir()} == before
    assert warm.run(tmp_path / "3.log", train, run).code == 0
    assert run.result() == expected.result()


def test_no_space_for_the_log(warm, undisturbed, tmp_path):
    expected = undisturbed("mask_rcnn")
    run = Run(expected.config, tmp_path)
    ended = warm.run(tmp_path / "1.log", train, run, full_log)
    assert ended.code == 1
    assert "train.jsonl: cannot be written (No space left on device)" in ended.error
    assert "make space on its disk" in ended.error
    assert warm.run(tmp_path / "2.log", train, run).code == 0
    assert run.result() == expected.result()


def full_log() -> None:
    """The log goes to a device that is always full."""
    from r3cnn.training.log import TrainLog

    def begin(log, *arguments):
        original(log, *arguments)
        log.file = open("/dev/full", "a")  # noqa: SIM115 - as long as the process lives

    original, TrainLog.begin = TrainLog.begin, begin


def test_no_space_for_predictions(warm, undisturbed, tmp_path):
    trained, out = undisturbed("r3_naive"), tmp_path / "predictions.parquet"
    arguments = ("--config", trained.config, "--checkpoint", trained.out / "checkpoint.pth",
                 "--loops", 1, "--loops", 2, "--out", out)  # fmt: skip
    ended = warm.run(tmp_path / "1.log", limited, 1_500, "predict", *arguments)
    assert ended.code == 1
    assert ended.error.startswith(f"error: {tmp_path}/")
    assert ": cannot be written (File too large)" in ended.error
    parts = tmp_path / f".{out.stem}.parts"
    assert [path for path in tmp_path.iterdir() if path.suffix != ".log"] in ([], [parts])
    ended = warm.run(tmp_path / "2.log", command, "predict", *arguments)
    assert ended.code == 0, ended.output
    assert not parts.exists()
    assert out.stat().st_size > 1_500


def report(results: Path, out: Path, size: int | None = None) -> subprocess.CompletedProcess:
    """`python -m reports html`, with a limit on the size of its files or without."""
    script = (
        "import resource, runpy, sys\n"
        "size = int(sys.argv.pop(1))\n"
        "if size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "runpy.run_module('reports', run_name='__main__')"
    )
    words = ["html", "--results", results, "--out", out]
    return subprocess.run(
        [sys.executable, "-c", script, str(size or 0), *words],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def results(tmp_path: Path) -> ResultFolder:
    """What a run of two trainings leaves behind, as far as the report reads it."""
    folder = ResultFolder(tmp_path / "results" / "smoke")
    folder.data()
    for training, loops in (("mask_1x", 1), ("r3_naive_inc", 3)):
        folder.train(training)
        folder.score(training, loops, 0.4, 0.3)
        folder.histogram(training, loops)
        folder.curve(training, 40)
    return folder


def refused(done: subprocess.CompletedProcess, path: Path, cause: str) -> None:
    """Failed with one line that names the file, the cause and the remedy."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    remedy = NO_SPACE[errno.EFBIG if cause == "File too large" else errno.ENOSPC]
    assert error.startswith(f"error: {path}: cannot be written ({cause}); {remedy}")


@pytest.mark.parametrize(("size", "at"), [(10_000, "figure2.svg"), (1_000_000, "plotly.min.js")])
def test_no_space_for_the_report(results, tmp_path, size, at):
    """The page or a file beside it grows too large: an old report stays as it was, file by file."""
    out = tmp_path / "report"
    refused(report(results.path, out, size), out / at, "File too large")
    assert list(out.iterdir()) == []
    assert report(results.path, out).returncode == 0
    before = contents(out)

    results.score("htc", 3, 0.41, 0.36)  # changes the tables, the figure's neighbours and the page
    (out / "figure2.svg").write_bytes(b"an older figure")
    (out / "plotly.min.js").write_bytes(b"an older library")
    before |= {"figure2.svg": b"an older figure", "plotly.min.js": b"an older library"}
    refused(report(results.path, out, size), out / at, "File too large")
    assert contents(out) == before
    done = report(results.path, out)
    assert done.returncode == 0, done.stderr
    assert report(results.path, tmp_path / "anew").returncode == 0
    assert contents(out) == contents(tmp_path / "anew")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_under_the_report(results, small_disk):
    out = small_disk / "report"
    refused(report(results.path, out), out / "plotly.min.js", "No space left on device")
    assert list(out.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    done = report(results.path, out)
    assert done.returncode == 0, done.stderr
    assert "</html>" in (out / "index.html").read_text()
