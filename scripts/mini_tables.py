"""Write what came out at scale mini into README.md (the claims) and docs/mini.md (every row).

python scripts/mini_tables.py
"""

import json
from collections.abc import Callable
from pathlib import Path

from page_parts import (
    renewed,
    write,
)
from r3cnn_reports.claims.judge import judge
from r3cnn_reports.claims.spec import load_claims
from r3cnn_reports.figures.charts import build_charts
from r3cnn_reports.results.load import (
    Results,
    load_results,
)
from r3cnn_reports.results.setting import setting_of
from r3cnn_reports.tables.build import build_table
from r3cnn_reports.tables.render import pieces
from r3cnn_reports.tables.spec import load_spec

from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.core.layout import CHECKOUT as ROOT

KEPT = ROOT / "measured"
LAST_STEPS = 180  # every 20th is kept
PAGES = ("README.md", "docs/mini.md")


def claims(mini: Results, slower: Results) -> list[str]:
    """Each claim, judged on what is kept at both learning rates and on the paper's own numbers."""
    judged = [judge(load_claims(), load_spec(), results) for results in (mini, slower)]
    return [
        f"| claim | | `mini`, {_seeds(mini)} | `mini_lr005`, {_seeds(slower)} | the paper's own numbers |",
        "|---|---|---|---|---|",
        *(
            f"| {one.claim.name} | {one.claim.text} | {one.ours} | {other.ours} | {one.paper} |"
            for one, other in zip(*judged, strict=True)
        ),
    ]


def _seeds(results: Results) -> str:
    seeds = {seed for _, seed, _ in results.score_provenance}
    return "one seed" if len(seeds) == 1 else f"up to {len(seeds)} seeds"


def rows(results: Results) -> list[str]:
    """Each evaluation in the catalogue's order; the other columns are those of its training."""
    lines = [
        "| training | processor seconds | class loss | L_e | box AP | mask AP |",
        "|---|---|---|---|---|---|",
    ]
    frame = results.frame
    for training in _catalogue():
        of_training = sorted(loops for id_, loops in results.evaluations() if id_ == training)
        for loops in of_training:
            found = frame[(frame["training"] == training) & (frame["loops"] == loops)]
            box, mask = (
                100 * found.loc[found["metric"] == metric, "value"].mean()
                for metric in ("bbox.AP", "segm.AP")
            )
            cells = [training, _seconds(results, training), _class_loss(results, training)]
            first = " | ".join(cells) if loops == of_training[0] else "| |"
            lines.append(f"| {first} | {loops} | {box:.1f} | {mask:.1f} |")
    return lines


def differences(results: Results) -> list[str]:
    """The controls that ran, each less the row that it is compared with, as the report's table has them."""
    spec = load_spec(ROOT / "reports" / "controls.yaml")
    table = build_table(spec.tables["controls"], spec.notes, results, setting_of(results), None)
    lines = [
        "| row | L_e | compared with | box AP | mask AP |",
        "|---|---|---|---|---|",
    ]
    columns = {column.name: column for column in table.columns}
    for row in table.rows:
        found = [
            pieces(columns[name], row.cells[name])[0]
            for name in ("bbox_difference", "segm_difference")
        ]
        if row.cells["against"].text and not found[0].absent:
            shown = " | ".join(f"{piece.text} {piece.spread}" for piece in found)
            cells = (row.label, row.loops, row.cells["against"].text, shown)
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def balance(results: Results) -> list[str]:
    """How evenness goes with AP, as below the report's scatter plots."""
    spec = load_spec(ROOT / "reports" / "controls.yaml")
    charts = build_charts(spec, results, setting_of(results))
    return [f"- {one.title}: {len(one.frame)} trainings.{one.ranks}" for one in charts if one.ranks]


def not_run(results: Results) -> list[str]:
    """The trainings of the two catalogues that nothing is kept of."""
    ran = {training for training, _ in results.evaluations()}
    return ["Not run: " + (", ".join(t for t in _catalogue() if t not in ran) or "none") + "."]


def _catalogue() -> list[str]:
    return list(load_catalogue(ROOT / "experiments" / "controls.yaml").trainings)


def _seconds(results: Results, training: str) -> str:
    """Over a training's attempts, the mean over seeds; nothing where the first rows did not record it yet."""
    spent = []
    for path in _of_seeds(results, training, "manifest.json"):
        seconds = [
            one.get("cpu_seconds")
            for one in json.loads(path.read_text(encoding="utf-8"))["attempts"]
        ]
        spent += [sum(seconds) if seconds and None not in seconds else None]
    return f"{sum(spent) / len(spent):.0f}" if None not in spent else ""


def _class_loss(results: Results, training: str) -> str:
    """Mean over the last steps of the classification loss of the first loop."""
    values = []
    for path in _of_seeds(results, training, "train.jsonl"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        last = [line for line in lines if line["iteration"] > lines[-1]["iteration"] - LAST_STEPS]
        values += [line.get("s0.loss_cls", line.get("loss_cls")) for line in last]
    return f"{sum(values) / len(values):.2f}"


def _of_seeds(results: Results, training: str, name: str) -> list[Path]:
    return sorted((results.folder / "trainings" / training).glob(f"seed*/{name}"))


def makers() -> dict[str, Callable[[], str]]:
    """What makes each part of the two pages."""
    mini, slower = (load_results(KEPT / scale) for scale in ("mini", "mini_lr005"))
    made = {
        "claims": (claims, mini, slower),
        "rows": (rows, mini),
        "differences": (differences, mini),
        "balance": (balance, mini),
        "left": (not_run, mini),
        "rows_lr005": (rows, slower),
    }
    return {name: lambda of=of, on=on: "\n".join(of(*on)) for name, (of, *on) in made.items()}


def main() -> None:
    """Rewrite both pages."""
    made = makers()
    for name in PAGES:
        page = ROOT / name
        write(page, renewed(page.read_text(encoding="utf-8"), made))


if __name__ == "__main__":
    main()
