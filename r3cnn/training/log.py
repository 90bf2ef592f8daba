"""The log of a training: one JSON line per step, and the machine and cost of each attempt."""

import json
import logging
import os
import resource
import time

import psutil

from ..core import provenance
from ..core.files import NO_ACCESS, NO_SPACE, write_atomically, write_json, writing
from ..core.layout import StateFolder
from ..core.progress import Pace
from ..core.records import Attempt
from ..weights import device

log = logging.getLogger(__name__)
COST = ("start", "end", "seconds", "process_seconds", "cpu_seconds", "peak_mb", "host")


class TrainLog:
    """train.jsonl and attempts.json of a state folder; only the first process writes."""

    def __init__(self, state: StateFolder, writes: bool) -> None:
        self.path, self.attempts_path = state.log, state.attempts
        self.writes = writes
        self.attempts: list[Attempt] = []
        self.runs_on: dict = {}
        self.pace = Pace()
        self.file = None

    def begin(self, step: int, finished: bool) -> None:
        """Start an attempt after `step`; none if all is done and results are only published again.

        Removes the lines of later steps, which no checkpoint covers.
        """
        if not self.writes:
            return
        kept = []
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                if line.endswith("}") and json.loads(line)["iteration"] <= step:
                    kept.append(line + "\n")
        if len(kept) != step:
            log.warning("%s: %d lines of %d steps are left", self.path, len(kept), step)
        write_atomically(self.path, "".join(kept))
        if self.attempts_path.exists():
            self.attempts = json.loads(self.attempts_path.read_text(encoding="utf-8"))
        self.runs_on = device.record("training")
        if finished and self.attempts:
            log.info("finished on %s; published again", self.attempts[-1]["end"])
        else:
            self._begin_attempt()
        if self._other_sources():
            log.warning("%s: trained by other sources than the present ones", self.path.parent)

    def _begin_attempt(self) -> None:
        start = provenance.now()
        about = {"start": start, "end": start, "seconds": 0.0, "host": provenance.host()}
        self.attempts.append({**about, **self._spent(), **self.runs_on})
        write_json(self.attempts_path, self.attempts)
        with writing(self.path, NO_ACCESS | NO_SPACE):
            self.file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - as long as we train

    def write(
        self, line: dict, steps: int, epochs: int, more: float = 0.0, words: str = ""
    ) -> None:
        """Append a step's line; every few seconds say how far we are, and keep what it cost.

        more: seconds that other work than steps will take; words: what that work is.
        """
        with writing(self.path):
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()
        if self.pace.due(last=line["iteration"] == steps):
            self.time_attempt()
            left = (steps - line["iteration"]) * line["seconds"] + more
            log.info(
                "epoch %d/%d, step %d/%d, loss %.3f, %.2f s a step, about %d s left%s",
                line["epoch"], epochs, line["iteration"], steps, line["loss"], line["seconds"], left,
                words,
            )  # fmt: skip

    def before_checkpoint(self) -> None:
        """Bring the lines to the disk: a checkpoint must not outlive the log of its steps."""
        with writing(self.path):
            os.fsync(self.file.fileno())
        self.time_attempt()

    def provenance(self) -> dict:
        """What trained: the last attempt's record, and the hash of other sources where any attempt had them."""
        last = {key: value for key, value in self.attempts[-1].items() if key not in COST}
        other = self._other_sources()
        return {**last, "source_sha256": other[0]} if other else last

    def _other_sources(self) -> list[str]:
        hashes = [attempt["source_sha256"] for attempt in self.attempts]
        return [found for found in hashes if found != self.runs_on["source_sha256"]]

    def time_attempt(self) -> None:
        """Keep what the attempt has cost so far."""
        if not self.writes:
            return
        seconds = round(self.pace.seconds, 3)
        self.attempts[-1].update(end=provenance.now(), seconds=seconds, **self._spent())
        write_json(self.attempts_path, self.attempts)

    @staticmethod
    def _spent() -> dict[str, float]:
        """Seconds, CPU seconds and peak memory (MB) of the first process, from its start with its imports."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {
            "process_seconds": round(time.time() - psutil.Process().create_time(), 2),
            "cpu_seconds": round(time.process_time(), 2),
            "peak_mb": round(peak, 1),
        }
