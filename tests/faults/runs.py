"""Runs of the command line's functions in processes forked from one that is warm: imports are paid once."""

import contextlib
import dataclasses
import faulthandler
import hashlib
import json
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

SECONDS = 120  # a process that takes longer hangs
SCALE = Path(__file__).with_name("tiny.yaml")
EVERY_STEP, NEVER = 0.0, float("inf")  # seconds between checkpoints inside an epoch


@dataclasses.dataclass(frozen=True)
class Run:
    """A training: its config file, and the folder in which it works."""

    config: Path
    folder: Path
    seconds: float = NEVER

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def checkpoints(self) -> list[Path]:
        """The whole checkpoints, the newest last."""
        return sorted(self.state.glob("*/checkpoints/step_*.pth"))

    def manifest(self) -> dict:
        return json.loads((self.out / "manifest.json").read_text())

    def timeless(self, name: str) -> list[dict]:
        """The lines of a published log without their times."""
        lines = [json.loads(line) for line in (self.out / name).read_text().splitlines()]
        return [{key: line[key] for key in line if key != "seconds"} for line in lines]

    def result(self) -> dict[str, object]:
        """What must be the same whatever happened on the way: all but times."""
        return {
            "weights, optimiser, counts": digest(self.out / "checkpoint.pth"),
            "histogram": digest(self.out / "iou_histogram.csv"),
            "log": self.timeless("train.jsonl"),
            "validation": self.timeless("validation.jsonl"),
        }


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (negative: the signal), and what it said."""

    code: int
    output: str

    @property
    def error(self) -> str:
        """The one line that a user's mistake ends in."""
        lines = [line for line in self.output.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.output
        assert "Traceback" not in self.output
        return lines[0]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Warm:
    """Starts processes from a server that has imported what all of them need."""

    def __init__(self) -> None:
        # one thread: OpenMP's do not survive a fork, and two processes share the cores
        os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tests.faults.imports"])

    def start(self, log: Path, function: Callable, *arguments: object) -> "multiprocessing.Process":
        process = self.context.Process(target=_call, args=(log, function, arguments))
        process.start()
        return process

    def run(self, log: Path, function: Callable, *arguments: object) -> Ended:
        return self.end(self.start(log, function, *arguments), log)

    def end(self, process: "multiprocessing.Process", log: Path) -> Ended:
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise AssertionError(f"still running after {SECONDS} s: {log.read_text()}")
        return Ended(process.exitcode, log.read_text())


def _call(log: Path, function: Callable, arguments: tuple) -> None:
    """In the child: what it says goes to a file, and it ends as the command line would."""
    faulthandler.dump_traceback_later(SECONDS - 20, file=sys.__stderr__)
    multiprocessing.set_start_method("fork", force=True)  # of loaders' workers, as without a server
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    function(*arguments)


def command(*arguments: object) -> None:
    """`python -m r3cnn ...`, in this process."""
    from r3cnn.cli.main import main

    main([str(argument) for argument in arguments], standalone_mode=True)


def train(run: Run, plant: Callable | None = None, *arguments: object) -> None:
    """`python -m r3cnn train`, with a fault planted in it; it is not bound to the server's life."""
    from r3cnn.training import stopping

    stopping.end_with_parent = lambda: None
    if plant:
        plant(*arguments)
    minutes = min(run.seconds / 60, 1e6)
    command(
        "train", "--config", run.config, "--out", run.out, "--state", run.state, "--minutes", minutes
    )  # fmt: skip


def die() -> None:
    """As kill -9 from outside: nothing of the process runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def ends(process: "multiprocessing.Process"):
    """Kills the process at the end, whatever happens."""
    try:
        yield process
    finally:
        process.kill()
        process.join()
