"""Slurm's own words when it refused a job, from Snakemake's log of the newest run in a folder."""

import re
from pathlib import Path

from .jobs import COMMENT

LOGS = Path(".snakemake", "log")
BEFORE = re.compile(r"Slurm refuses the jobs of [\w, ]+: (?P<words>.+)")
AT_SUBMISSION = re.compile(
    r"SLURM sbatch failed\. The error message was '(?P<words>.*?)'\.\s+sbatch call:\s+(?P<call>.+)",
    re.DOTALL,
)
MESSAGE = "SLURM sbatch failed"
PREFIX = re.compile(r"sbatch: (error: )?")


def refusals(folder: Path) -> tuple[str, dict[tuple[str, int], str]]:
    """What stopped the newest run before it submitted anything, or ""; and what refused single trainings.

    The latter by (training, seed).
    """
    logs = sorted((folder / LOGS).glob("*.snakemake.log"), key=lambda path: path.stat().st_mtime)
    text = logs[-1].read_text(encoding="utf-8", errors="replace") if logs else ""
    before = BEFORE.search(text)
    single = {}
    for part in text.split(MESSAGE)[1:]:
        found = AT_SUBMISSION.match(MESSAGE + part)
        of_job = COMMENT.search(found["call"]) if found else None
        if of_job and of_job["rule"] == "train":
            words = "; ".join(PREFIX.sub("", found["words"]).split("\n"))
            single[of_job["id"], int(of_job["seed"])] = words
    return (before["words"] if before else ""), single
