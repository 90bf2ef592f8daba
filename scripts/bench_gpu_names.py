"""Prints what `python -m r3cnn bench gpu` needs beside torch, as pins of constraints.txt, one a line.

The requirements are followed through the installed packages, for the Python of the machine with the GPU:
python scripts/bench_gpu_names.py 3.12
"""

import re
import sys
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"
ROOTS = (
    *("onedl-mmcv", "onedl-mmdetection", "onedl-mmengine", "opencv-python-headless", "tabulate"),
    *("click", "hotcoco", "jsonschema", "numpy", "pillow", "pyarrow", "pycocotools", "pyyaml"),
)
BUILD = ("ninja", "packaging", "setuptools", "wheel")
# torch is there, mmcv is built there
LEFT_OUT = {"torch", "onedl-mmcv"}
# what the lock leaves out (pyproject.toml says why), so that it is not installed here either
NOT_NEEDED = {"imaug", "opencv-python"}


def closure(roots: Iterable[str], python: str) -> set[str]:
    """The packages and all that they require under that Python, extras aside."""
    place = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    seen: set[str] = set()
    waiting = [canonicalize_name(name) for name in roots]
    while waiting:
        name = waiting.pop()
        if name in seen | NOT_NEEDED:
            continue
        seen.add(name)
        required = map(Requirement, distribution(name).requires or ())
        waiting += [
            canonicalize_name(one.name)
            for one in required
            if one.marker is None or one.marker.evaluate(place)
        ]
    return seen


def names(python: str) -> set[str]:
    """What must be brought to a machine that has torch; what torch needs too, in the version needed here."""
    return closure(ROOTS, python) - LEFT_OUT | set(BUILD)


def pins(wanted: Iterable[str]) -> list[str]:
    """The names with their versions. Raises SystemExit where one has none."""
    known = dict(
        re.findall(r"^(\S+)==(\S+)$", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    )
    missing = sorted(set(wanted) - known.keys())
    if missing:
        sys.exit(f"error: {CONSTRAINTS}: {missing[0]}: no version, expected one; add it")
    return [f"{name}=={known[name]}" for name in sorted(wanted)]


if __name__ == "__main__":
    print("\n".join(pins(names(sys.argv[1]))))
