"""One training has one writer: the lease in its state folder.

Leases are numbered files, lease-1.json, lease-2.json, ...; the highest number holds the folder. Taking over
is creating the next number, which only one process can do; the file of a number is written by its
owner alone. So no two processes can both believe that they took over, and no clocks are compared:
an owner is silent when its file does not change while another one looks.
"""

import contextlib
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..core import provenance
from ..core.errors import UserError
from ..core.files import NO_ACCESS, NO_SPACE, remove_leftovers, write_json, writing

log = logging.getLogger(__name__)
BEAT_SECONDS = 10.0
PATIENT_BEATS = 3  # so long an owner may take to leave after its parent died
SILENT_BEATS = 6


class Lease:
    """This process's lease, kept alive by a thread."""

    def __init__(self, folder: Path, number: int, beat: float) -> None:
        self.folder, self.number, self.path = folder, number, _file(folder, number)
        self.facts = {
            "host": provenance.host(),
            "pid": os.getpid(),
            "job": os.environ.get("SLURM_JOB_ID"),
            "since": provenance.now(),
            "place": _place(),
            "started": _started(os.getpid()),
        }
        self.beats = 0
        self.beat = beat
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def require(self) -> None:
        """Raise UserError where another process has taken over, as it may from one that was silent."""
        newest = max(_numbers(self.folder), default=0)
        if newest > self.number:  # not only the next one: its owner may have come and gone
            path = _file(self.folder, newest)
            raise UserError(
                f"{path}: {_named(_read(path))} took this training over while this process "
                "was silent; leave the training to it"
            )

    def write(self, released: bool = False) -> None:
        """Write the owner's file: another beat."""
        self.beats += 1
        write_json(self.path, {**self.facts, "beats": self.beats, "released": released})

    def _keep(self) -> None:
        while not self.ended.wait(self.beat):
            try:
                self.write()
            except (OSError, UserError) as error:  # the training goes on; another may take over
                log.warning("the heartbeat could not be written: %s", error)


@contextlib.contextmanager
def hold(folder: Path, beat: float = BEAT_SECONDS) -> Iterator[Lease]:
    """Hold the folder's lease; raises UserError that names the owner where another process holds it."""
    with writing(folder, NO_ACCESS | NO_SPACE):
        folder.mkdir(parents=True, exist_ok=True)
    lease = _acquire(folder, beat)
    remove_leftovers(folder)
    lease.thread.start()
    try:
        yield lease
    finally:
        lease.ended.set()
        lease.thread.join()
        with contextlib.suppress(
            UserError
        ):  # the disk is full: the next one finds this process dead
            lease.write(released=True)


def _acquire(folder: Path, beat: float) -> Lease:
    """Wait until the folder is free or its owner dead or silent; give up while the owner's file beats."""
    began = changed = time.monotonic()
    seen, beating = None, False
    while True:
        number = max(_numbers(folder), default=0)
        found = _read(_file(folder, number)) if number else {"released": True}
        now = time.monotonic()
        if seen is None:
            seen = number, found
            if not found.get("released") and not _dead(found):
                log.info("%s: held by %s; waiting for it to end", folder, _named(found))
        elif (number, found) != seen:
            seen, changed, beating = (number, found), now, True
        silent = now - changed > SILENT_BEATS * beat
        if found.get("released") or silent or _dead(found):
            if lease := _create(folder, number + 1, beat):
                if not found.get("released"):
                    what = "silent" if silent else "dead"
                    log.warning("%s: taking over from %s, which is %s", folder, _named(found), what)
                return lease
        elif beating and now - began > PATIENT_BEATS * beat:
            raise UserError(
                f"{_file(folder, number)}: {_named(found)} is training here; wait for its end or stop "
                "it, then run the same command again"
            )
        time.sleep(beat / 20)


def _create(folder: Path, number: int, beat: float) -> Lease | None:
    """Take the lease of a number; None where another process was quicker."""
    path = _file(folder, number)
    try:
        with writing(path, NO_ACCESS | NO_SPACE), contextlib.suppress(FileExistsError):
            path.touch(exist_ok=False)
            if max(_numbers(folder)) > number:  # this process slept, and the number was used before
                path.unlink()
                return None
            lease = Lease(folder, number, beat)
            lease.write()
            for older in _numbers(folder):
                if older < number:
                    _file(folder, older).unlink(missing_ok=True)
            return lease
    except UserError:
        path.unlink(missing_ok=True)
        raise
    return None


def _file(folder: Path, number: int) -> Path:
    return folder / f"lease-{number}.json"


def _numbers(folder: Path) -> list[int]:
    texts = (path.stem.partition("-")[2] for path in folder.glob("lease-*.json"))
    return [int(text) for text in texts if text.isdigit()]


def _read(path: Path) -> dict:
    """What an owner wrote; empty where it has not yet, its file just went, or cannot be read now."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _named(facts: dict) -> str:
    if not facts:
        return "a process that has not given its name"
    job = f", job {facts['job']}" if facts["job"] else ""
    return f"process {facts['pid']} on {facts['host']}{job} (since {facts['since']})"


def _dead(facts: dict) -> bool:
    """Whether the owner is certainly gone; only to be told where its process would be visible."""
    if facts.get("place") != _place():
        return False
    try:
        os.kill(facts["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        return False
    return _started(facts["pid"]) != facts["started"]  # the number was given again


def _place() -> str:
    """Where process numbers mean the same: this boot of this machine, this namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def _started(pid: int) -> int | None:
    """When a process started, in the kernel's ticks; None for one that has ended or if none is told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])
