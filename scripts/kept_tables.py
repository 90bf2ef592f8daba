"""Write the kept runs into README.md (the claims) and into the pages of the scales, controls and heads.

python scripts/kept_tables.py
"""

import json
from collections.abc import Callable, Iterable, Mapping
from statistics import mean

from page_parts import renewed, write
from r3cnn_reports.claims.judge import judge
from r3cnn_reports.claims.spec import load_claims
from r3cnn_reports.figures.charts import SCATTER, build_charts, correlation
from r3cnn_reports.results.load import Results, load_results
from r3cnn_reports.results.setting import setting_of
from r3cnn_reports.tables.build import build_table
from r3cnn_reports.tables.render import pieces
from r3cnn_reports.tables.spec import load_spec

from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.config.load import load_config
from r3cnn.core.layout import CHECKOUT as ROOT
from r3cnn.core.layout import RunFolder

KEPT = ROOT / "measured"
SCALES = ("quick", "mini")
TRIAL = KEPT / "mini_trial"
LAST_STEPS = 180  # every 20th is kept
PAGES = (
    "README.md", "docs/quick.md", "docs/mini.md", "docs/mini_settings.md", "docs/heads.md", "docs/controls.md",
)  # fmt: skip
AP_OF_KINDS = ("bbox.AP", "segm.AP")


def kept() -> dict[str, Results]:
    """The kept runs by scale, in the order of the columns."""
    return {scale: load_results(KEPT / scale) for scale in SCALES if (KEPT / scale).is_dir()}


def claims(runs: Mapping[str, Results]) -> list[str]:
    """Each claim, judged on each kept run and on the paper's own numbers."""
    judged = [judge(load_claims(), load_spec(), results) for results in runs.values()]
    heads = " | ".join(f"`{scale}`, {_seeds(results)}" for scale, results in runs.items())
    return [
        f"| claim | | {heads} | the paper's own numbers |",
        f"|{'---|' * (3 + len(runs))}",
        *(
            f"| {of_one[0].claim.name} | {of_one[0].claim.text} "
            f"| {' | '.join(one.ours for one in of_one)} | {of_one[0].paper} |"
            for of_one in zip(*judged, strict=True)
        ),
    ]


def trials(scale: str) -> list[str]:
    """Each trial from which the settings of a scale were chosen, in their order."""
    text = (KEPT / f"{scale}_trials.jsonl").read_text(encoding="utf-8")
    head = (
        "trial | classes | objects an image | batch | learning rate | steps | training "
        "| processor seconds | box AP | mask AP"
    )
    return [
        f"| {head} |",
        f"|{'---|' * 10}",
        *(_trial(json.loads(line)) for line in text.splitlines()),
    ]


def _trial(line: dict) -> str:
    low, high = line["objects"]
    cells = (
        *(line["trial"], line["classes"], f"{low} to {high}", line["batch"], line["lr"]),
        *(line["steps"], line["training"], f"{line['user_seconds']['train']:.0f}"),
        *(f"{line[kind]:.1f}" for kind in ("box_AP", "mask_AP")),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _seeds(results: Results) -> str:
    seeds = {seed for _, seed, _ in results.score_provenance}
    return "one seed" if len(seeds) == 1 else f"up to {len(seeds)} seeds"


def sweep(results: Results) -> list[str]:
    """Each trial of the learning rate: the rate, and both APs."""
    lines = [
        "| training | learning rate | processor seconds | box AP | mask AP |",
        "|---|---|---|---|---|",
    ]
    for training, loops in results.evaluations():
        cfg = load_config(RunFolder(results.folder).trainings(training)[0].config)
        cells = (training, f"{cfg.optim_wrapper.optimizer.lr:g}", _seconds(results, training))
        lines.append(f"| {' | '.join(cells)} | {_aps(results, training, loops)} |")
    return lines


def rows(results: Results) -> list[str]:
    """A line for each training in the catalogue's order: its seeds, and the APs by L_e, means over the seeds."""
    lines = [
        "| training | seeds | processor seconds | class loss | L_e | box AP | mask AP |",
        "|---|---|---|---|---|---|---|",
    ]
    for training in _catalogue():
        made = sorted(loops for id_, loops in results.evaluations() if id_ == training)
        if made:
            seeds = {seed for id_, seed, _ in results.score_provenance if id_ == training}
            cells = [training, len(seeds), _seconds(results, training)]
            cells += [_class_loss(results, training), _listed(made)]
            for metric in AP_OF_KINDS:
                cells.append(_listed(_points(results, training, loops, metric) for loops in made))
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _points(results: Results, training: str, loops: int, metric: str) -> str:
    return f"{100 * mean(results.values(training, loops, metric)):.1f}"


def _aps(results: Results, training: str, loops: int) -> str:
    """Box and mask AP, the mean over seeds, as two cells."""
    return " | ".join(_points(results, training, loops, metric) for metric in AP_OF_KINDS)


def heads(results: Results) -> list[str]:
    """The rows of the table of heads that ran: the parameters of the paper's own model, and both APs."""
    lines = ["| model | L_e | parameters (M) | box AP | mask AP |", "|---|---|---|---|---|"]
    for row in load_spec(ROOT / "reports" / "heads.yaml").tables["heads"].rows:
        if (row.training, row.loops) in results.evaluations():
            (parameters,) = results.values(row.training, row.loops, "parameters.trainable")
            cells = (row.label, row.loops, f"{parameters / 1e6:.1f}")
            lines.append(
                f"| {' | '.join(map(str, cells))} | {_aps(results, row.training, row.loops)} |"
            )
    return lines


def differences(results: Results) -> list[str]:
    """The controls that ran, each minus the row that it is compared with, as in the report's table."""
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
    said = [(one, correlation(one.frame)) for one in charts if one.kind == SCATTER]
    return [f"- {one.title}: {len(one.frame)} trainings. {words}" for one, words in said if words]


def not_run(results: Results) -> list[str]:
    """The trainings of the shipped catalogues that nothing is kept of."""
    ran = {training for training, _ in results.evaluations()}
    return ["Not run: " + (", ".join(t for t in _catalogue() if t not in ran) or "none") + "."]


def _catalogue() -> list[str]:
    """The ids of all shipped catalogues, in their order."""
    files = (ROOT / "experiments" / f"{name}.yaml" for name in ("controls", "heads", "rates"))
    return list(dict.fromkeys(id_ for file in files for id_ in load_catalogue(file).trainings))


def _seconds(results: Results, training: str) -> str:
    """Over a training's attempts, the mean over seeds; nothing for a row that was not trained itself."""
    spent = []
    for one in RunFolder(results.folder).trainings(training):
        seconds = [
            attempt.get("cpu_seconds")
            for attempt in json.loads(one.manifest.read_text(encoding="utf-8"))["attempts"]
        ]
        spent += [sum(seconds) if seconds and None not in seconds else None]
    return f"{sum(spent) / len(spent):.0f}" if None not in spent else ""


def _class_loss(results: Results, training: str) -> str:
    """Mean over the last steps of the classification loss of the first loop."""
    values = []
    for one in RunFolder(results.folder).trainings(training):
        lines = [json.loads(line) for line in one.log.read_text(encoding="utf-8").splitlines()]
        last = [line for line in lines if line["iteration"] > lines[-1]["iteration"] - LAST_STEPS]
        values += [line.get("s0.loss_cls", line.get("loss_cls")) for line in last]
    return f"{sum(values) / len(values):.2f}"


def makers() -> dict[str, Callable[[], str]]:
    """What makes each part of the pages."""
    runs = kept()
    made = {
        "claims": (claims, runs),
        "quick_trials": (trials, "quick"),
        "mini_trials": (trials, "mini"),
        "quick_rows": (rows, runs["quick"]),
    }
    made["sweep"] = (sweep, load_results(TRIAL)) if TRIAL.is_dir() else (list,)
    for name, of in (
        ("rows", rows),
        ("heads", heads),
        ("differences", differences),
        ("balance", balance),
        ("left", not_run),
    ):
        made[name] = (of, runs["mini"]) if "mini" in runs else (list,)
    return {name: lambda of=of, on=on: "\n".join(of(*on)) for name, (of, *on) in made.items()}


def main() -> None:
    """Rewrite the pages."""
    made = makers()
    for name in PAGES:
        page = ROOT / name
        write(page, renewed(page.read_text(encoding="utf-8"), made))


if __name__ == "__main__":
    main()
