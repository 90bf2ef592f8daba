"""Which jobs the workflow plans on a clean tree, what it refuses, and its house rules."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.trees import ROOT, coco_folder

RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
SNAKEFILES = [ROOT / "Snakefile", ROOT / "workflow" / "Snakefile", *RULES]
OWN = "extends: nothing\ntrainings:\n  mine: {model: r3_naive, iou: [0.5, 0.6]}\n"


def blocks() -> dict[str, str]:
    """The text of each rule by its name; the tables' rule has none of its own."""
    found = {}
    for path in SNAKEFILES:
        for part in re.split(r"^ *(?=rule\b)", path.read_text(), flags=re.MULTILINE)[1:]:
            found[re.match(r"rule *(\w*)", part)[1] or "table"] = part
    return found


def test_a_clean_tree_plans_each_training_once(fresh):
    plan = fresh.plan()
    assert plan.counts == {
        "shapes": 1,
        "check": 1,
        "resolve": 17,
        "train": 17,
        "predict": 17,
        "score": 21,
        "measure": 17,
        "table1": 1,
        "table2": 1,
        "table3": 1,
        "table4": 1,
        "figure2": 1,
        "claims": 1,
        "report": 1,
        "all": 1,
    }
    assert "--loops 1 2 3 4 5 --out results/smoke/predictions/r3_naive_inc/" in plan.output


@pytest.mark.parametrize("line", ["", "measure: {alone: true}"])
def test_a_measurement_keeps_all_cores_where_the_scale_says_nothing_else(fresh, line):
    fresh.edit("experiments/scales/smoke.yaml", "measure: {alone: false}", line)
    fresh.snakemake("--cores", "3", "results/smoke/measurements/htc.json")
    calls = [json.loads(line) for line in (fresh.root / "calls.jsonl").read_text().splitlines()]
    assert {call["command"]: call["threads"] for call in calls}["measure"] == "3"
    assert {call["threads"] for call in calls if call["command"] != "measure"} == {"1"}
    assert not any(call.get("beside_others") for call in calls)


def test_parts_are_built_by_name(fresh):
    table = fresh.plan("table2").counts
    assert (table["train"], table["predict"], table["score"], table["measure"]) == (2, 2, 6, 2)
    assert "report" not in table
    figure = fresh.plan("figure2")
    assert {id_ for id_, _ in figure.trainings["train"]} == {
        "mask_3x",
        "r3_naive_dec",
        "r3_naive_inc",
    }
    assert "predict" not in figure.counts
    assert fresh.plan("tables").counts["score"] == 21


def test_a_pilot_trains_and_measures_and_nothing_else(fresh, tmp_path):
    folder = coco_folder(tmp_path / "coco")
    config = ("--config", "scale=paper-pilot", f"data={folder}", "backbone=random")
    assert fresh.plan("trainings", *config).counts == {
        "check": 1,
        "resolve": 17,
        "train": 17,
        "measure": 17,
        "trainings": 1,
    }


def test_the_paper_scale_runs_on_a_folder_of_its_own_name(fresh, tmp_path):
    folder = coco_folder(tmp_path / "my coco")
    plan = fresh.plan("--config", "scale=paper", f"data={folder}", "results=out", "backbone=random")
    assert plan.counts["train"] == 17
    assert "shapes" not in plan.counts
    assert "out/paper-my_coco/data.json" in plan.output
    assert f"--data '{folder}'" in plan.output


def test_a_catalogue_of_ones_own_runs_alone(fresh):
    (fresh.root / "own.yaml").write_text(OWN)
    fresh.snakemake("--cores", "2", "--config", "catalogue=own.yaml")
    results = fresh.root / "results" / "smoke"
    assert (results / "report" / "index.html").is_file()
    assert (results / "scores" / "mine" / "seed0" / "loops2.json").is_file()
    assert (results / "state" / "mine" / "seed0").is_dir()
    assert fresh.plan("--config", "catalogue=own.yaml").nothing


def test_given_weights_take_the_place_of_a_training(fresh):
    (fresh.root / "zoo.pth").write_text("weights")
    line = f"  zoo: {{model: mask_rcnn, weights: {{file: zoo.pth, sha256: '{'0' * 64}'}}}}\n"
    (fresh.root / "own.yaml").write_text(OWN + line)
    config = ("--config", "catalogue=own.yaml")
    counts = fresh.plan(*config).counts
    assert (counts["train"], counts["weights"], counts["predict"]) == (1, 1, 2)
    fresh.snakemake("--cores", "2", *config)
    assert fresh.plan(*config).nothing
    assert not (fresh.root / "results" / "smoke" / "state" / "zoo").exists()
    fresh.edit("own.yaml", "0" * 64, "1" * 64)
    plan = fresh.plan(*config)
    assert (plan.counts["weights"], "train" in plan.counts) == (1, False)


def test_the_zoo_needs_the_validation_images_alone(fresh, tmp_path):
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    (folder / "annotations" / "instances_val2017.json").write_text("{}")
    config = ("--config", "scale=paper", f"data={folder}", "catalogue=experiments/zoo.yaml")
    plan = fresh.plan(*config)
    each = dict.fromkeys(("resolve", "weights", "predict", "score", "measure"), 5)
    once = dict.fromkeys(("check", "zoo", "claims", "report", "all"), 1)
    assert plan.counts == each | once
    assert (
        f"data check --data {folder} --val-only --out results/paper-coco-val/data.json"
        in plan.output
    )
    assert plan.output.count(" --backbone random ") == 5
    assert re.search(r"--source https://\S+-d4b0c5d6\.pth --sha256 d4b0c5d6 ", plan.output)
    annotations = folder / "annotations" / "instances_train2017.json"
    annotations.write_text("{}")
    assert fresh.plan(*config).counts == plan.counts


def test_the_controls_stand_beside_the_paper(fresh):
    config = ("--config", "catalogue=experiments/controls.yaml")
    plan = fresh.plan(*config)
    counts = {
        name: plan.counts[name] for name in ("train", "reuse", "predict", "score", "controls")
    }
    assert counts == {"train": 29, "reuse": 1, "predict": 30, "score": 46, "controls": 1}
    assert "r3_flow_off" not in {id_ for id_, _ in plan.trainings["train"]}


def test_heads_between_naive_and_htc_stand_beside_the_paper(fresh):
    plan = fresh.plan("--config", "catalogue=experiments/heads.yaml")
    counts = {name: plan.counts[name] for name in ("train", "predict", "score", "heads")}
    assert counts == {"train": 31, "predict": 32, "score": 36, "heads": 1}


def test_another_evaluation_waits_for_the_training_that_it_is_of(fresh):
    line = "  again: {model: r3_naive, iou: [0.5, 0.6], options: {a.b: 1}, trained_as: mine}\n"
    (fresh.root / "own.yaml").write_text(OWN + line)
    config = ("--config", "catalogue=own.yaml")
    assert (fresh.plan(*config).counts["train"], fresh.plan(*config).counts["reuse"]) == (1, 1)
    fresh.snakemake("--cores", "2", *config)
    assert fresh.plan(*config).nothing
    assert not (fresh.root / "results" / "smoke" / "state" / "again").exists()


def test_a_broken_data_folder_stops_in_check_before_any_training(fresh, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    arguments = ("--cores", "2", "--keep-going", "--config", f"data={folder}")
    done = fresh.snakemake(*arguments, check=False)
    assert done.returncode == 1
    assert "Error in rule check:" in done.stderr
    assert not (fresh.root / "results" / "smoke-empty" / "trainings").exists()
    assert "annotations" in (fresh.root / "results/smoke-empty/logs/check.log").read_text()


def table_without_evaluation(tree):
    tree.edit("reports/tables.yaml", "training: htc, loops: 3", "training: htc, loops: 4")


def evaluation_taken_away(tree):
    (tree.root / "own.yaml").write_text("evaluations: {mask_1x: {loops: [2]}}")


def results_of_other_data(tree):
    file = tree.root / "results" / "smoke" / "data.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"root": "elsewhere/coco"}')


def unknown_model(tree):
    (tree.root / "own.yaml").write_text("trainings: {mine: {model: r3_naiv}}")


def unknown_scale_key(tree):
    tree.append("experiments/scales/smoke.yaml", "\nseed: 1\n")


def data_check_without_root(tree):
    path = tree.root / "results" / "smoke" / "data.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")


def broken_data_check(tree):
    data_check_without_root(tree)
    (tree.root / "results" / "smoke" / "data.json").write_text('{"root": ')


def table_named_as_a_rule(tree):
    tree.edit("reports/tables.yaml", "  table1:\n", "  report:\n")


def chart_named_as_a_table(tree):
    tree.append(
        "reports/tables.yaml",
        "\ncharts:\n  table1: {kind: scatter, view: sampled, title: T, caption: C}\n",
    )


def broken_model(tree):
    tree.edit("experiments/models/r3_advanced.py", "./r3_mask_iou.py", "./r3_mask_you.py")


@pytest.mark.parametrize(
    ("prepare", "config", "expected"),
    [
        (None, "scal=mini", "--config scal: unknown key; expected one of scale, data, catalogue"),
        (
            None,
            "scale=smok",
            "unknown scale 'smok'; expected one of mini, mini_trial, paper, paper-pilot, quick, smoke (did you",
        ),
        (None, "data=2024_01", "--config data: there is no folder 2024_01; expected COCO"),
        (None, "data=", "--config data: found nothing after the ="),
        (None, "data=nowhere", "--config data: there is no folder nowhere; expected COCO"),
        (None, "scale=paper", "scales/paper.yaml: data.folder: there is no folder data/coco"),
        (
            None,
            "backbone=no.pth",
            "--config backbone: there is no file no.pth; get ResNet-50's weights with",
        ),
        (None, "catalogue=no.yaml", "no.yaml: cannot read this file: No such file"),
        (unknown_model, "catalogue=own.yaml", "own.yaml: trainings.mine.model: unknown model"),
        (unknown_scale_key, "results=r", "experiments/scales/smoke.yaml: seed: unknown key;"),
        (broken_model, "results=r", "r3_advanced.py: _base_: no file './r3_mask_you.py'"),
        (
            table_without_evaluation,
            "scale=smoke",
            "reports/tables.yaml: table1, row 3: training htc with loops 4 is no evaluation of the "
            "catalogue; expected loops of (3,)",
        ),
        (
            evaluation_taken_away,
            "catalogue=own.yaml",
            "tables.yaml: table1, row 1: training mask_1x with loops 1 is no evaluation of the catalogue; "
            "expected loops of (2,), as own.yaml says, or more loops there",
        ),
        (
            results_of_other_data,
            "scale=smoke",
            "results/smoke/data.json: root: these are results of elsewhere/coco, not of",
        ),
        (
            data_check_without_root,
            "scale=smoke",
            "results/smoke/data.json: root: found None, expected the data's folder; delete this file",
        ),
        (broken_data_check, "scale=smoke", "results/smoke/data.json: "),
        (
            table_named_as_a_rule,
            "scale=smoke",
            "reports/tables.yaml: tables.report: a rule or another file of the report has this name",
        ),
        (
            chart_named_as_a_table,
            "scale=smoke",
            "reports/tables.yaml: charts.table1: a table has this name; choose another one",
        ),
        (None, "seeds=0,00", "--config seeds: found '0,00'; expected different whole numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) and "=" in value else "",
)
def test_a_mistake_stops_the_plan_with_one_line(fresh, prepare, config, expected):
    if prepare:
        prepare(fresh)
    done = fresh.snakemake("-n", "--config", config, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    assert expected in lines[0]


@pytest.mark.parametrize("backbone", ["./random", "./w.pth"])
def test_a_file_with_the_name_of_a_keyword_stays_a_file(fresh, backbone):
    coco_folder(fresh.root / "coco")
    (fresh.root / backbone).write_text("weights")
    plan = fresh.plan("--config", "scale=paper", "data=coco", f"backbone={backbone}")
    shown = "./random" if backbone == "./random" else "w.pth"
    assert f"--backbone {shown} " in plan.output
    config = ("--config", "scale=paper", "data=coco", f"backbone={backbone}")
    fresh.snakemake("--cores", "1", *config, "--", "results/paper-coco/data.json")
    settings = json.loads((fresh.root / "results" / "paper-coco" / "settings.json").read_text())
    assert settings["backbone"] == shown


def test_a_folder_has_one_name_however_it_is_typed(fresh):
    coco_folder(fresh.root / "coco")
    typed = [fresh.plan("--config", "scale=paper", "backbone=random", f"data={data}", f"results={results}")
             for data, results in (("coco", "out"), ("./coco/", "out/"))]  # fmt: skip
    first, second = (sorted(re.findall(r"python -m .*", plan.output)) for plan in typed)
    assert first == second
    assert any("out/paper-coco/" in command for command in first)


def test_no_table_can_take_the_name_of_a_rule():
    reserved = (ROOT / "workflow" / "rules" / "tables.smk").read_text().partition("RESERVED = {")[2]
    names = set(re.findall(r'"(\w+)"', reserved.partition("}")[0]))
    assert set(blocks()) - {"table"} <= names


@pytest.mark.parametrize("rule", ["train", "predict"])
def test_what_keeps_a_state_is_snakemakes_own_child(rule):
    """Behind a shell it would outlive Snakemake, and the next one would share its state."""
    assert f'"exec {{resources.launch}} python -m r3cnn {rule} ' in blocks()[rule]


def test_every_job_logs_and_names_its_environment():
    rules = blocks()
    jobs = {name for name, text in rules.items() if "shell:" in text}
    assert jobs == {
        "shapes",
        "check",
        "resolve",
        "train",
        "weights",
        "reuse",
        "predict",
        "score",
        "measure",
        "table",
        "figure2",
        "claims",
        "report",
    }
    for name in jobs:
        assert " log:" in rules[name], name
        assert "> {log:q} 2>&1" in rules[name], name
        folder = ROOT / "workflow" / "rules"
        environment = re.search(r'conda:\s+"(.+)"', rules[name])[1]
        assert (folder / environment).resolve() == ROOT / "environment.yml", name
        assert ("benchmark:" in rules[name]) == (name != "train"), name


def test_wildcards_are_id_seed_and_loops():
    text = "".join(path.read_text() for path in SNAKEFILES)
    assert set(re.findall(r"wildcards\.(\w+)", text)) == {"id", "seed", "loops"}
    block = re.search(r"wildcard_constraints:\n((?: +.+\n)+)", text)[1]
    assert set(re.findall(r"(\w+)=", block)) == {"id", "seed", "loops"}


def test_no_sources_are_inputs():
    text = "".join(path.read_text() for path in SNAKEFILES)
    assert not re.findall(r'"(?:r3cnn|reports)/', text)


def test_the_snakefile_is_a_table_of_contents():
    assert len((ROOT / "workflow" / "Snakefile").read_text().splitlines()) <= 40
    assert not (ROOT / "workflow" / "profiles" / "default").exists(), "would be loaded by itself"


def test_snakemake_finds_nothing_to_lint(fresh):
    assert "in a good condition" in fresh.snakemake("--lint").stderr


def test_the_snakefiles_are_formatted():
    snakefmt = Path(sys.executable).parent / "snakefmt"
    done = subprocess.run(
        [snakefmt, "--check", "Snakefile", "workflow"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
