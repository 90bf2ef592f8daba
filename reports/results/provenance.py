"""Which sources made a result, and whether they are the present ones."""

import functools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from r3cnn.core.provenance import made_by
from r3cnn.core.source_hash import ENTRIES, source_hash

from .load import Results

PRESENT, OTHER_SOURCES, UNKNOWN = "present", "other", "unknown"


@functools.cache
def present_sources() -> frozenset[str]:
    """The hashes of the method's present sources, of every part."""
    return frozenset(source_hash(part) for part in ENTRIES)


def compare_sources(claims: Iterable[set[str]], present: Collection[str] | None) -> str:
    """present, other or unknown: were all these results made by the present sources?

    claims: for each result the hashes that it can claim; none are unknown.
    """
    found = list(claims)
    if present is None or not found:
        return UNKNOWN
    if any(hashes and not hashes & set(present) for hashes in found):
        return OTHER_SOURCES
    return PRESENT if all(found) else UNKNOWN


def row_sources(
    results: Results, training: str, loops: int, present: Collection[str] | None
) -> str:
    """The mark of a row over its seeds; '' if the row has no score."""
    keys = [key for key in results.score_provenance if (key[0], key[2]) == (training, loops)]
    if not keys:
        return ""
    claims: list[set[str]] = []
    for key in keys:
        score = results.score_provenance[key]
        # Both are asked: a training made again may stand next to a score of the former one.
        made = [made_by(score), made_by(results.manifests.get(key[:2], {}))]
        if "scoring_sha256" in score:
            made.append({score["scoring_sha256"]})
        claims += [hashes for hashes in made if hashes] or [set()]
    return compare_sources(claims, present)


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


def trained_models(results: Results, present: Collection[str] | None) -> list[Trained]:
    """Every (training, seed) that has a manifest, in order."""
    return [
        Trained(
            training,
            seed,
            manifest,
            compare_sources([made_by(manifest)], present),
            given_weights(results, training),
        )
        for (training, seed), manifest in sorted(results.manifests.items())
    ]
