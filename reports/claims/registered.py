"""Claims that were written down before their trainings started: claims.json in the results folder.

The workflow adds to it before its first job. A claim's hash holds what it says, its checks and their limits, and
the spreads that are taken for them; a note or the paper's sentence may be fixed later.
"""

import dataclasses
import datetime
import hashlib
import json
from pathlib import Path

from r3cnn.core.files import read_json, write_if_changed
from r3cnn.core.layout import RunFolder

from .spec import Claim, Claims

BEFORE, CHANGED, LATE, UNKNOWN = (
    "", "changed since its trainings began", "written down after its trainings began",
    "not known to be older than its trainings",
)  # fmt: skip


def hash_of(claim: Claim, spreads: dict[str, float]) -> str:
    """SHA-256 of what decides a claim."""
    checks = [dataclasses.asdict(check) for check in claim.checks]
    content = json.dumps([claim.text, checks, spreads], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def register(claims: Claims, results: Path) -> Path:
    """Write down the hash of each claim; of one whose trainings have begun, only if it was not there yet.

    Raises: UserError where the file is no JSON or cannot be written.
    """
    path = RunFolder(results).claims
    found = read_json(path) if path.is_file() else {}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for claim in claims.claims:
        begun = _begun(claim, results)
        entry = {"sha256": hash_of(claim, claims.spreads), "date": today, "late": begun}
        old = found.get(claim.name)
        if old is None or (not begun and old["sha256"] != entry["sha256"]):
            found[claim.name] = entry
    return write_if_changed(path, json.dumps(found, indent=1) + "\n")


def registered_of(claims: Claims, results: Path) -> dict[str, str]:
    """What is to be said of each claim: nothing, if it is as it was before its trainings began."""
    path = RunFolder(results).claims
    found = read_json(path) if path.is_file() else {}
    said = {}
    for claim in claims.claims:
        entry = found.get(claim.name)
        if not entry:
            said[claim.name] = UNKNOWN
        elif entry["sha256"] != hash_of(claim, claims.spreads):
            said[claim.name] = CHANGED
        else:
            said[claim.name] = LATE if entry["late"] else BEFORE
    return said


def _begun(claim: Claim, results: Path) -> bool:
    run = RunFolder(results)
    ids = {side.training for check in claim.checks for side in (check.left, check.right)}
    return any(run.trainings(id_) or run.state(id_, 0).parent.is_dir() for id_ in ids)
