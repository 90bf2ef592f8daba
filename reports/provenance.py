"""Which sources made a result, and whether they are the present ones."""

import logging
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.load import Results

PRESENT, OTHER_SOURCES, UNKNOWN = "present", "other", "unknown"
_ROOT = Path(__file__).resolve().parent.parent
_log = logging.getLogger(__name__)


def present_sources() -> str | None:
    """The hash of the method's present sources, by `python -m r3cnn sources`; None if unknown."""
    command = [sys.executable, "-m", "r3cnn", "sources"]
    try:
        done = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("the present sources are unknown: %s", error)
        return None
    found = done.stdout.split()[-1:] or [""]
    if done.returncode != 0 or not re.fullmatch(r"[0-9a-f]{8,64}", found[0]):
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
        _log.warning("the present sources are unknown: r3cnn sources: %s", last[0])
        return None
    return found[0]


def compare_sources(hashes: Iterable[str | None], present: str | None) -> str:
    """present, other or unknown: were all these made by the present sources?"""
    found = list(hashes)
    if present is None or not found:
        return UNKNOWN
    if any(item and item != present for item in found):
        return OTHER_SOURCES
    return PRESENT if all(found) else UNKNOWN


def row_sources(results: Results, training: str, loops: int, present: str | None) -> str:
    """The mark of a row over its seeds; '' if the row has no score."""
    keys = [key for key in results.score_provenance if (key[0], key[2]) == (training, loops)]
    if not keys:
        return ""
    hashes = []
    for key in keys:
        score = results.score_provenance[key].get("source_sha256")
        trained = results.manifests.get(key[:2], {}).get("source_sha256")
        # Both are asked: a training made again may stand beside a score of the former one.
        hashes += [item for item in (score, trained) if item] or [None]
    return compare_sources(hashes, present)


def given_weights(results: Results, training: str) -> str:
    """Where the weights of a training come from that was not trained here; '' if it was."""
    found = (m.get("weights") for key, m in sorted(results.manifests.items()) if key[0] == training)
    texts = [f"{w.get('source')} (sha256 {str(w.get('sha256'))[:12]})" for w in found if w]
    return ", ".join(dict.fromkeys(texts))


@dataclass(frozen=True)
class Trained:
    """One training's provenance as the page shows it."""

    training: str
    seed: int
    manifest: dict[str, Any]
    sources: str
    given: str = ""

    @property
    def anchor(self) -> str:
        """An id for links within the page."""
        return f"provenance-{re.sub(r'[^A-Za-z0-9_-]', '-', self.training)}-seed{self.seed}"


def trained_models(results: Results, present: str | None) -> list[Trained]:
    """Every (training, seed) that has a manifest, in order."""
    return [
        Trained(
            training,
            seed,
            manifest,
            compare_sources([manifest.get("source_sha256")], present),
            given_weights(results, training),
        )
        for (training, seed), manifest in sorted(results.manifests.items())
    ]
