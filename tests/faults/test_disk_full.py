"""A disk that fills up: one line that names the file, nothing corrupt, and all goes on after space is made."""

import resource
import subprocess
import sys

import pytest

from tests.faults.runs import EVERY_STEP, Run, command, train

pytestmark = pytest.mark.slow


def limit(size: int) -> None:
    """No file of this process may grow beyond so many bytes; Python ignores the signal for it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limited(size: int, *arguments: object) -> None:
    """A command that meets the limit once the network is loaded."""
    from r3cnn import predict

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
    from r3cnn.train_log import TrainLog

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
    assert f"{out}: cannot be written (File too large)" in ended.error
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".log"]
    ended = warm.run(tmp_path / "2.log", command, "predict", *arguments)
    assert ended.code == 0, ended.output
    assert out.stat().st_size > 1_500


def test_no_space_for_the_report(tmp_path, repository):
    """The report's room is another: its own command line, its own errors."""
    page = tmp_path / "index.html"
    page.write_text("old")
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "from pathlib import Path\n"
        "from reports.errors import ReportError\n"
        "from reports.files import write_text\n"
        "try: write_text(Path(sys.argv[1]), 'new' * 2000)\n"
        "except ReportError as error: sys.exit(f'Error: {error}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, page], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"{page}: cannot be written (File too large); make space" in done.stderr
    assert "Traceback" not in done.stderr
    assert page.read_text() == "old"
    assert list(tmp_path.iterdir()) == [page]
