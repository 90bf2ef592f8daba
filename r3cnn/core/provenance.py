"""Provenance of a result: sources, commit, versions, device."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .layout import PACKAGE
from .records import Provenance
from .source_hash import SCHEME, source_hash

PACKAGES = (
    "torch",
    "onedl-mmdetection",
    "onedl-mmcv",
    "onedl-mmengine",
    "numpy",
    "pycocotools",
    "hotcoco",
)


def git_commit() -> str | None:
    """The commit of the checkout, `-dirty` behind it where files differ; None outside of git."""
    run = ["git", "-C", str(PACKAGE), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        return (
            subprocess.run(run, capture_output=True, encoding="utf-8", check=True).stdout.strip()
            or None
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def package_versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def host() -> str:
    """The machine's name; on a cluster that of the node."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()


def record(part: str, device: str) -> Provenance:
    """What every result file says of the software and device that made it; part: of source_hash."""
    return {
        "source_sha256": source_hash(part),
        "source_scheme": SCHEME,
        "git_commit": git_commit(),
        "versions": package_versions(),
        "device": device,
    }


def made_by(result: Mapping[str, Any]) -> set[str]:
    """The source hashes that a result can claim: its own, and those that `verify-kept` found equal."""
    own = result.get("source_sha256")
    verified = {entry["source_sha256"] for entry in result.get("verified", ())}
    return verified | ({own} if own else set())
