"""Check that the present sources train a kept row as before: its first steps, bit for bit."""

import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..config.load import load_config
from ..core import provenance
from ..core.errors import UserError
from ..core.files import read_json, read_text, write_json
from ..core.layout import TrainingFolder
from ..core.source_hash import SCHEME, source_hash
from .trainer import Trainer

log = logging.getLogger(__name__)
STEPS = 50
# What a step's line says of the clock and the machine.
_OF_THE_CLOCK = {"seconds", "memory_mib"}


def verify(folder: TrainingFolder, steps: int = STEPS) -> int:
    """Train the first steps of a kept row again; if every kept line is equal, record the present hash.

    Returns how many lines were compared. Raises UserError if a line differs, or if none of the first
    steps was kept. The row's data must lie where its config says.
    """
    kept = [line for line in _lines(folder.log) if line["iteration"] <= steps]
    if not kept:
        raise UserError(f"{folder.log}: no line of the first {steps} steps; train the row again")
    now = _trained(folder.config, kept[-1]["iteration"])
    for line in kept:
        found = now.get(line["iteration"])
        if found != _without_clock(line):
            raise UserError(
                f"{folder.log}: iteration {line['iteration']}: retraining gives {found}, but the kept line is "
                f"{_without_clock(line)}; the row was made by other sources: train it again"
            )
    _record(folder, kept[-1]["iteration"])
    log.info("%s: %d lines equal up to step %d", folder.path, len(kept), kept[-1]["iteration"])
    return len(kept)


def _trained(config: Path, steps: int) -> dict[int, dict]:
    """The lines of the first steps, by iteration, as the present sources write them."""
    with tempfile.TemporaryDirectory() as state:
        trainer = Trainer(load_config(config), Path(state))
        trainer.run_steps(steps)
        return {line["iteration"]: _without_clock(line) for line in _lines(trainer.log.path)}


def _lines(path: Path) -> Iterator[dict]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}: line {number}: not JSON ({error.msg})") from error


def _without_clock(line: dict) -> dict:
    return {key: value for key, value in line.items() if key not in _OF_THE_CLOCK}


def _record(folder: TrainingFolder, steps: int) -> None:
    """Add the present hash to the manifest, next to the one that the row was made by."""
    manifest = read_json(folder.manifest)
    present = source_hash("training")
    if present in provenance.made_by(manifest):
        return
    entry = {
        "source_sha256": present,
        "source_scheme": SCHEME,
        "git_commit": provenance.git_commit(),
        "steps": steps,
        "at": provenance.now(),
    }
    write_json(folder.manifest, {**manifest, "verified": [*manifest.get("verified", ()), entry]})
