"""Where a result comes from: sources, commit, versions, device."""

import ast
import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path(__file__).parent
PACKAGES = (
    "torch",
    "onedl-mmdetection",
    "onedl-mmcv",
    "onedl-mmengine",
    "numpy",
    "pycocotools",
    "hotcoco",
)


def source_hash(package: Path = PACKAGE) -> str:
    """SHA-256 of the method's sources as parsed: comments and layout do not count, docstrings do.

    The benchmarks do not count either: no result comes from them.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if path.is_relative_to(package / "bench"):
            continue
        digest.update(str(path.relative_to(package)).encode())
        digest.update(ast.unparse(ast.parse(path.read_text(encoding="utf-8"))).encode())
    return digest.hexdigest()


def git_commit() -> str | None:
    """The commit of the checkout, `-dirty` behind it where files differ; None outside of git."""
    run = ["git", "-C", str(PACKAGE), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        return (
            subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip() or None
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


def device_name() -> str:
    """The device at hand: the GPU's name, or the CPU's with the number of threads."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"CPU, {_cpu_model()}, {threads} thread{'s' * (threads > 1)}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def host() -> str:
    """The machine's name; on a cluster that of the node."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()


def record() -> dict:
    """What every result file says of the software that made it."""
    return {
        "source_sha256": source_hash(),
        "git_commit": git_commit(),
        "versions": package_versions(),
        "device": device_name(),
    }
