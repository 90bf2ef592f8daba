"""Do the tests catch deliberate faults? Each is made in a copy of the checkout, and its room's fast tests run.

python scripts/mutants.py [NAME ...]      about 20 minutes on 2 cores; exit 1 where a fault is not caught
"""

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = (".git", ".venv", ".snakemake", "results", "build", ".mypy_cache")
FAST = "not slurm and (gate or not (slow or browser))"  # what `make test` runs


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A fault: in `file` the text `old`, which stands there once, becomes `new`. tests: those of the room."""

    name: str
    fault: str
    file: str
    old: str
    new: str
    tests: str


MUTANTS = (
    Mutant(
        "core",
        "a file is written under its own name, not under a temporary one",
        "r3cnn/core/files.py",
        'temporary = path.with_name(f".{uuid.uuid4().hex}.{path.name}")',
        "temporary = path",
        "tests/r3cnn/core",
    ),
    Mutant(
        "data",
        "a small area counts as none",
        "r3cnn/data/held.py",
        'if annotation["area"] <= 0:',
        'if annotation["area"] <= 1:',
        "tests/r3cnn/data",
    ),
    Mutant(
        "catalogue",
        "the evaluation loops stay in the order written",
        "r3cnn/catalogue/trainings.py",
        'tuple(sorted(entry["loops"]))',
        'tuple(entry["loops"])',
        "tests/workflow/test_catalogue.py",
    ),
    Mutant(
        "models",
        "the boxes move the other way between two loops",
        "r3cnn/models/roi_head.py",
        "rois = bbox2roi(self._regress(loop - 1, rois, results, counts, metas))",
        'rois = bbox2roi(self._regress(loop - 1, rois, {**results, "bbox_pred": -results["bbox_pred"]}, '
        "counts, metas))",
        "tests/r3cnn/models tests/parity",
    ),
    Mutant(
        "ops",
        "NMS drops a box whose IoU equals the threshold",
        "r3cnn/ops/nms.py",
        "(inter.div_(union) > threshold)",
        "(inter.div_(union) >= threshold)",
        "tests/r3cnn/ops",
    ),
    Mutant(
        "config",
        "the thresholds of the loops are sorted",
        "r3cnn/config/resolve.py",
        "head.iou_thresholds = list(training.iou)",
        "head.iou_thresholds = sorted(training.iou)",
        "tests/r3cnn/config tests/r3cnn/models tests/experiments",
    ),
    Mutant(
        "weights",
        "a converted checkpoint loses its class names",
        "r3cnn/weights/convert.py",
        "classes = foreign.classes_in(content)",
        "classes = None",
        "tests/r3cnn/weights",
    ),
    Mutant(
        "evaluation",
        "an object of exactly 32 x 32 pixels is not small",
        "r3cnn/evaluation/matching.py",
        "(truth.area < low) | (truth.area > high)",
        "(truth.area < low) | (truth.area >= high)",
        "tests/r3cnn/evaluation",
    ),
    Mutant(
        "training",
        "a step's line stays in the buffer of a process that may be killed",
        "r3cnn/training/log.py",
        "            self.file.flush()\n",
        "",
        "tests/r3cnn/training tests/faults",
    ),
    Mutant(
        "histogram",
        "an IoU on the edge of two bins counts in the lower one",
        "r3cnn/training/iou_histogram.py",
        "self.edges, right=True)",
        "self.edges, right=False)",
        "tests/r3cnn/training",
    ),
    Mutant(
        "measuring",
        "the multiply-adds of deformable convolution leave the interpolation out",
        "r3cnn/measuring/multiply_adds.py",
        "(math.prod(weight) + BILINEAR * taps * x[1])",
        "math.prod(weight)",
        "tests/r3cnn/measuring",
    ),
    Mutant(
        "tables",
        "the difference is the paper's minus ours",
        "reports/tables/numbers.py",
        "_plain_zero(ours - paper)",
        "_plain_zero(paper - ours)",
        "tests/reports/tables",
    ),
    Mutant(
        "figures",
        "IoU 0.7 itself does not count as high",
        "reports/figures/histograms.py",
        "counts.index >= iou - 1e-9",
        "counts.index > iou + 1e-9",
        "tests/reports/figures tests/reports/claims",
    ),
    Mutant(
        "page",
        "names stand on the page unescaped",
        "reports/tables/render.py",
        "autoescape=True",
        "autoescape=False",
        "tests/reports",
    ),
)


def caught_by(mutant: Mutant, copy: Path) -> str | None:
    """The first test that fails with the fault, None where none does. Raises ValueError for a stale mutant."""
    file = copy / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(
            f"mutant {mutant.name}: {mutant.file}: the text stands there {text.count(mutant.old)} times"
        )
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        command = [
            *(sys.executable, "-m", "pytest", "-x", "-q", "-n", "2", "--dist", "loadgroup"),
            *("--no-loadscope-reorder", "-p", "no:cacheprovider", "-m", FAST),
            *mutant.tests.split(),
        ]
        done = subprocess.run(
            command,
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    finally:
        file.write_text(text, encoding="utf-8")
    # a module that cannot be imported is no test that caught it
    failed = [
        line
        for line in done.stdout.splitlines()
        if line.startswith(("FAILED ", "ERROR ")) and "::" in line
    ]
    if done.returncode and not failed:
        raise RuntimeError(f"mutant {mutant.name}: pytest: {done.stdout[-2000:]}{done.stderr}")
    return failed[0].split(" ", 1)[1].split(" - ")[0] if failed else None


def _left_out(folder: str, names: list[str]) -> list[str]:
    """Of the checkout's own folder, what no test reads; `results` is also a room of the reports."""
    return [name for name in names if name in LEFT_OUT] if Path(folder) == ROOT else []


def main(names: list[str]) -> int:
    """Print a line a fault, as a Markdown table."""
    chosen = [one for one in MUTANTS if not names or one.name in names]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "checkout")
        shutil.copytree(ROOT, copy, ignore=_left_out, symlinks=True)
        print("| room | fault | caught by | seconds |", "|---|---|---|---|", sep="\n", flush=True)
        for mutant in chosen:
            began = time.monotonic()
            found = caught_by(mutant, copy)
            missed += found is None
            seconds = time.monotonic() - began
            shown = f"`{found}`" if found else "**nothing**"
            print(f"| {mutant.name} | {mutant.fault} | {shown} | {seconds:.0f} |", flush=True)
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
