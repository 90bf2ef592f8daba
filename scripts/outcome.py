"""Print in a few lines what a run produced, where its report is, and what to do next.

python scripts/outcome.py results/quick
"""

import csv
import json
import sys
from collections import Counter
from pathlib import Path

from r3cnn.core.layout import RunFolder
from r3cnn.core.progress import counted

# Rows of Table 1: name, and the loops that it is evaluated with there.
ROWS = {"mask_1x": ("Mask R-CNN", 1), "htc": ("HTC", 3), "r3_naive_inc": ("R3-CNN (naive)", 3)}
PLURAL = {"holds": "hold", "fails": "fail"}
NEXT = "Next: click a number in the report to see how it was produced; docs/tutorial.md adds a row of your own."


def outcome(folder: Path) -> list[str]:
    """The lines; of a run without a report only what is missing."""
    run = RunFolder(folder)
    page = run.report / "index.html"
    trained = sum(training.manifest.is_file() for training in run.trainings())
    evaluations = counted(len(run.scores()), "evaluation")
    made = f"{folder}: {counted(trained, 'training')}, {evaluations}."
    if not page.is_file():
        return [made, "No report yet: `make status` shows what is missing."]
    shown = f"The report: {page.resolve().as_uri()}"
    if "smoke" in scales(run):
        return [
            made,
            "At scale smoke the numbers mean nothing: they show that every step runs.",
            shown,
            NEXT,
        ]
    return [line for line in (made, aps(run), verdicts(run), shown, NEXT) if line]


def scales(run: RunFolder) -> set[str]:
    """The scales of the trainings."""
    manifests = [training.manifest for training in run.trainings()]
    read = (json.loads(path.read_text(encoding="utf-8")) for path in manifests if path.is_file())
    return {str(manifest.get("scale")) for manifest in read}


def aps(run: RunFolder) -> str:
    """Box and mask AP of the main rows as in Table 1, with the first seed."""
    found = []
    for id_, (name, loops) in ROWS.items():
        read = (json.loads(path.read_text(encoding="utf-8")) for path in run.scores(id_))
        scores = [score for score in read if score["loops"] == loops]
        if scores:
            of = min(scores, key=lambda score: score["seed"])
            box, mask = (_points(of[kind]["AP"]) for kind in ("bbox", "segm"))
            found.append(f"{name}, L_e = {loops}: {box} / {mask}")
    return f"Box / mask AP: {'; '.join(found)}." if found else ""


def _points(ap: float | None) -> str:
    return "none" if ap is None else f"{100 * ap:.1f}"


def verdicts(run: RunFolder) -> str:
    """How many of the paper's claims have which verdict, by our results."""
    table = run.report / "claims.csv"
    if not table.is_file():
        return ""
    with open(table, encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["numbers"] == "ours"]
    claims = {line["claim"]: line["claim_status"] for line in lines}
    counts = Counter(claims.values()).most_common()
    said = ", ".join(
        f"{count} {status if count == 1 else PLURAL.get(status, status)}"
        for status, count in counts
    )
    where = "" if scales(run) == {"paper"} else " in miniature"
    return f"The paper's claims{where}: {said}." if said else ""


if __name__ == "__main__":
    print(*outcome(Path(sys.argv[1])), sep="\n")
