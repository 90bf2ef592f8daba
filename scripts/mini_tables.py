"""Write what came out at scale mini into README.md (the claims) and docs/mini.md (every row).

python scripts/mini_tables.py
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from r3cnn.catalogue import load_catalogue  # noqa: E402 - the project is not installed
from reports.claims import judge  # noqa: E402
from reports.claims_spec import load_claims  # noqa: E402
from reports.load import Results, load_results  # noqa: E402
from reports.tables_spec import load_spec  # noqa: E402

KEPT = ROOT / "reports" / "measured" / "mini"
PAGES = ("README.md", "docs/mini.md")
PART = re.compile(r"(<!-- mini: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def claims(results: Results) -> list[str]:
    """Each claim, judged on what is kept and on the paper's own numbers."""
    return [
        "| claim | | `mini`, one seed | the paper's own numbers |",
        "|---|---|---|---|",
        *(
            f"| {one.claim.name} | {one.claim.text} | {one.ours} | {one.paper} |"
            for one in judge(load_claims(), load_spec(), results)
        ),
    ]


def rows(results: Results) -> list[str]:
    """Each evaluation in the catalogue's order; the processor seconds are those of its training."""
    lines = ["| training | processor seconds | L_e | box AP | mask AP |", "|---|---|---|---|---|"]
    frame = results.frame
    for training in _catalogue():
        of_training = sorted(loops for id_, loops in results.evaluations() if id_ == training)
        for loops in of_training:
            found = frame[(frame["training"] == training) & (frame["loops"] == loops)]
            box, mask = (
                100 * found.loc[found["metric"] == metric, "value"].mean()
                for metric in ("bbox.AP", "segm.AP")
            )
            first = (
                f"{training} | {_seconds(results, training)}" if loops == of_training[0] else "|"
            )
            lines.append(f"| {first} | {loops} | {box:.1f} | {mask:.1f} |")
    return lines


def not_run(results: Results) -> list[str]:
    """The trainings of the two catalogues that nothing is kept of."""
    ran = {training for training, _ in results.evaluations()}
    return ["Not run: " + (", ".join(t for t in _catalogue() if t not in ran) or "none") + "."]


def _catalogue() -> list[str]:
    return list(load_catalogue(ROOT / "experiments" / "controls.yaml").trainings)


def _seconds(results: Results, training: str) -> str:
    """Over a training's attempts; nothing where the first rows did not record it yet."""
    path = results.folder / "trainings" / training / "seed0" / "manifest.json"
    spent = [one.get("cpu_seconds") for one in json.loads(path.read_text())["attempts"]]
    return f"{sum(spent):.0f}" if spent and None not in spent else ""


def renewed(page: str, results: Results) -> str:
    """The page with the parts between its marks made anew."""
    made = {"claims": claims, "rows": rows, "left": not_run}
    return PART.sub(
        lambda part: "".join([part[1], *(f"{line}\n" for line in made[part[2]](results)), part[3]]),
        page,
    )


def main() -> None:
    """Rewrite both pages."""
    results = load_results(KEPT)
    for name in PAGES:
        page = ROOT / name
        text = renewed(page.read_text(encoding="utf-8"), results)
        temporary = page.with_name(f".{page.name}.part")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(page)


if __name__ == "__main__":
    main()
