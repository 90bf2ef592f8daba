"""The log of a training: one JSON line a step, and what each attempt cost."""

import json
import logging
import time
from pathlib import Path

from . import provenance
from .files import write_atomically, write_json

log = logging.getLogger(__name__)
SECONDS_BETWEEN_MESSAGES = 10


class TrainLog:
    """train.jsonl and attempts.json of a state folder; only the first process writes."""

    def __init__(self, state: Path, writes: bool) -> None:
        self.path, self.attempts_path = state / "train.jsonl", state / "attempts.json"
        self.writes = writes
        self.attempts: list[dict] = []
        self.began = self.spoke = time.monotonic()
        self.file = None

    def begin(self, step: int) -> None:
        """Start an attempt after `step`: lines of later steps were not kept by a checkpoint and go."""
        if not self.writes:
            return
        kept = []
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                if line.endswith("}") and json.loads(line)["iteration"] <= step:
                    kept.append(line + "\n")
        write_atomically(self.path, "".join(kept))
        if self.attempts_path.exists():
            self.attempts = json.loads(self.attempts_path.read_text(encoding="utf-8"))
        start = provenance.now()
        self.attempts.append(
            {"start": start, "end": start, "seconds": 0.0, "host": provenance.host()}
        )
        self.file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - open as long as we train

    def write(self, line: dict, steps: int, epochs: int) -> None:
        """Append a step's line; every few seconds say how far we are."""
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()
        self._time_attempt()
        if time.monotonic() - self.spoke >= SECONDS_BETWEEN_MESSAGES or line["iteration"] == steps:
            self.spoke = time.monotonic()
            left = (steps - line["iteration"]) * line["seconds"]
            log.info(
                "epoch %d/%d, step %d/%d, loss %.3f, %.2f s a step, about %d s left",
                line["epoch"], epochs, line["iteration"], steps, line["loss"], line["seconds"], left,
            )  # fmt: skip

    def checkpoint_written(self) -> None:
        """Keep what the attempt has cost so far."""
        self._time_attempt()
        write_json(self.attempts_path, self.attempts)

    def _time_attempt(self) -> None:
        seconds = round(time.monotonic() - self.began, 3)
        self.attempts[-1].update(end=provenance.now(), seconds=seconds)
