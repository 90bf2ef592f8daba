"""A copy of the project in which the two command lines are stubs: the DAG is the real one."""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PARTS = ("Snakefile", "environment.yml", "config", "workflow", "experiments", "r3cnn", "reports")
STATS = re.compile(r"^([a-z_]\w*) +(\d+)$", re.MULTILINE)
TRAINED = re.compile(r"r3cnn (\w+) .*?/(?:trainings|predictions)/(\w+)/seed(\d+)")


class Tree:
    """A project folder and what Snakemake would do or does in it."""

    def __init__(self, root: Path):
        self.root = root

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run Snakemake in this folder, by default at scale smoke; with `check`, a failure shows its output."""
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *at_smoke(arguments)],
            cwd=self.root,
            # r3cnn is imported as Python starts, before this folder would be looked at.
            env=os.environ | {"PYTHONPATH": str(self.root)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def plan(self, *arguments: str) -> "Plan":
        """The jobs of `snakemake -n`."""
        return Plan(self.snakemake("-n", "--printshellcmds", *arguments).stdout)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace one text that must be there."""
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new))

    def append(self, path: str, text: str) -> None:
        """Add to the end of a file."""
        with open(self.root / path, "a") as file:
            file.write(text)


def at_smoke(arguments: tuple[str, ...]) -> list[str]:
    """Snakemake's arguments, with scale=smoke in --config if they name no scale and read the Snakefile."""
    if any(one.startswith("scale=") for one in arguments):
        return list(arguments)
    if "--config" not in arguments:
        return [*arguments, "--config", "scale=smoke"]
    at = arguments.index("--config") + 1
    return [*arguments[:at], "scale=smoke", *arguments[at:]]


class Plan:
    """The printed jobs of a dry run: how many of each rule, and of which trainings and seeds."""

    def __init__(self, output: str):
        stats = output[output.rfind("Job stats:") :] if "Job stats:" in output else ""
        self.output = output
        self.counts = {rule: int(n) for rule, n in STATS.findall(stats) if rule != "total"}
        self.trainings = defaultdict(set)
        for rule, id_, seed in TRAINED.findall(output):
            self.trainings[rule].add((id_, int(seed)))

    @property
    def nothing(self) -> bool:
        """Whether Snakemake says that all is there."""
        return "Nothing to be done" in self.output and not self.counts


def project(folder: Path) -> Tree:
    """A fresh copy of the project with stubs."""
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    shutil.copy2(HERE / "stub_r3cnn.py", folder / "r3cnn" / "__main__.py")
    shutil.copy2(HERE / "stub_reports.py", folder / "reports" / "__main__.py")
    return Tree(folder)


def coco_folder(folder: Path) -> Path:
    """A data folder of COCO's layout, without images."""
    (folder / "annotations").mkdir(parents=True)
    for split in ("train", "val"):
        (folder / f"{split}2017").mkdir()
        (folder / "annotations" / f"instances_{split}2017.json").write_text("{}")
    return folder


def later(path: Path, seconds: float = 60) -> None:
    """Give a file a younger time, its content unchanged."""
    time = path.stat().st_mtime + seconds
    os.utime(path, (time, time))
