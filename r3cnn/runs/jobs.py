"""The jobs that Slurm has for a folder, as Snakemake's plugin submits them."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

COMMENT = re.compile(r"rule_(?P<rule>\w+?)_wildcards_(?P<id>\w+)_(?P<seed>\d+)")
FORMAT = "%i|%T|%r|%N|%k|%Z"
SECONDS_FOR_AN_ANSWER = 20


@dataclass(frozen=True)
class Job:
    """A live job of a training; `why` is Slurm's reason for a pending one, `nodes` where it runs."""

    number: str
    state: str
    why: str
    nodes: str

    @property
    def runs(self) -> bool:
        """Whether it has started."""
        return self.state in ("RUNNING", "COMPLETING")


def live_trainings(folder: Path) -> dict[tuple[str, int], Job]:
    """Slurm's live training jobs of a folder by (training, seed); none if there is no Slurm."""
    ask = ["squeue", "--noheader", "--me", f"--format={FORMAT}"]
    try:
        answer = subprocess.run(
            ask, capture_output=True, encoding="utf-8", timeout=SECONDS_FOR_AN_ANSWER, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    found = {}
    for line in answer.splitlines():
        number, state, why, nodes, comment, place = line.split("|", 5)
        match = COMMENT.fullmatch(comment)
        if match and match["rule"] == "train" and Path(place).resolve() == folder.resolve():
            found[match["id"], int(match["seed"])] = Job(number, state, why, nodes)
    return found
