"""Write what came out at scale quick into docs/quick.md.

python scripts/quick_tables.py
"""

import json
from collections.abc import Callable

from page_parts import renewed, write

from r3cnn.core.layout import CHECKOUT as ROOT

TRIALS = ROOT / "measured" / "quick_trials.jsonl"
PAGES = ("docs/quick.md",)


def trials() -> str:
    """Each trial from which the scale's settings were chosen, in their order."""
    lines = [json.loads(line) for line in TRIALS.read_text(encoding="utf-8").splitlines()]
    head = (
        "trial | classes | objects an image | batch | learning rate | steps | training "
        "| processor seconds | box AP | mask AP"
    )
    return "\n".join([f"| {head} |", f"|{'---|' * 10}", *map(_trial, lines)])


def _trial(line: dict) -> str:
    low, high = line["objects"]
    cells = (
        *(line["trial"], line["classes"], f"{low} to {high}", line["batch"], line["lr"]),
        *(line["steps"], line["training"], f"{line['user_seconds']['train']:.0f}"),
        *(f"{line[kind]:.1f}" for kind in ("box_AP", "mask_AP")),
    )
    return f"| {' | '.join(map(str, cells))} |"


def makers() -> dict[str, Callable[[], str]]:
    """What makes each part of the pages."""
    return {"quick_trials": trials}


def main() -> None:
    """Rewrite the pages."""
    for name in PAGES:
        page = ROOT / name
        write(page, renewed(page.read_text(encoding="utf-8"), makers()))


if __name__ == "__main__":
    main()
