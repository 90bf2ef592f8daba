"""What Snakemake's conventions ask for: where the Snakefile lies, the config, modules, other folders, --report."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.trees import ROOT, Plan, Tree

MODULE = """\
module r3cnn:
    snakefile:
        "{snakefile}"
    config:
        {{"scale": "smoke", "results": "out"}}


use rule * from r3cnn as r3cnn_*


rule mine:
    input:
        "out/smoke/report/table1.csv",
    output:
        "results/mine.txt",
    shell:
        "cp {{input}} {{output}}"
"""


def snakemake(tree: Tree, folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Snakemake in a folder, with these words alone."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(tree.root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done


def passed(tree: Tree, folder: Path, *words: str) -> str:
    done = snakemake(tree, folder, *words)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_snakefile_is_found_by_either_convention(fresh):
    here = fresh.plan().counts
    (fresh.root / "Snakefile").unlink()
    assert fresh.plan().counts == here
    assert here["train"] == 17


def test_any_folder_can_be_worked_in(fresh, tmp_path, monkeypatch):
    """With the scripts of a profile, too."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    target = "results/smoke/trainings/mask_1x/seed0/manifest.json"
    words = ("--snakefile", str(fresh.root / "workflow" / "Snakefile"), "--config", "scale=smoke")
    profile = ("--profile", str(fresh.root / "workflow" / "profiles" / "gpu"))
    passed(fresh, folder, target, *profile, *words)
    assert (folder / target).is_file()
    made = {path.name for path in (folder / "results" / "smoke").glob("*.json")}
    assert made == {"data.json", "settings.json", "claims.json"}
    assert not (fresh.root / "results").exists()


def test_another_workflow_uses_it_as_a_module(fresh, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    snakefile = fresh.root / "workflow" / "Snakefile"
    (folder / "Snakefile").write_text(MODULE.format(snakefile=snakefile))
    # settings of the other workflow are not those of the module
    plan = Plan(passed(fresh, folder, "-n", "results/mine.txt", "--config", "results=x", "own=1"))
    assert plan.counts["mine"] == plan.counts["r3cnn_table1"] == 1
    assert plan.counts["r3cnn_train"] == 6
    passed(fresh, folder, "--cores", "2", "out/smoke/data.json")
    assert (folder / "out" / "smoke" / "data" / "val2017").is_dir()


def test_a_report_of_snakemakes_holds_the_tables_and_the_figure(complete, tmp_path):
    report = tmp_path / "report.html"
    complete.snakemake("--report", str(report))
    text = report.read_text(encoding="utf-8")
    for name in ("Table 1", "Table 2", "Table 3", "Table 4", "Figure 2", "Claims"):
        assert f'"{name}"' in text, name
    for name in ("table1.csv", "table4.csv", "figure2.svg", "claims.csv"):
        assert name in text
    assert "which IoU with its ground truth" in text, "the caption"
    assert "R3-CNN" in text, "the description of the whole"


# ------------------------------------------------------------------------- config


def test_the_settings_of_a_run_begin_with_the_file(fresh):
    fresh.edit("config/config.yaml", "scale: quick", "scale: smoke")
    fresh.edit("config/config.yaml", "seeds: null", "seeds: [0, 3]")
    plan = Plan(passed(fresh, fresh.root, "-n"))
    assert plan.counts["train"] == 34
    assert "results/smoke/data.json" in plan.output
    plan = Plan(passed(fresh, fresh.root, "-n", "--config", "seeds=5"))
    assert plan.counts["train"] == 17


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("scale: quick", "scale: null", "config/config.yaml: scale: found null; expected text"),
        ("seeds: null", "sedes: 1", "config/config.yaml: sedes: unknown key"),
        ("data: null", "data: 2024_01", "config/config.yaml: line 3: "),
    ],
)
def test_a_mistake_in_the_file_gets_one_line(fresh, old, new, expected):
    fresh.edit("config/config.yaml", old, new)
    done = snakemake(fresh, fresh.root, "-n")
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert (done.returncode, len(lines)) == (1, 1), lines
    assert lines[0].startswith("error: ")
    assert expected in lines[0]


def test_every_setting_has_its_schema_and_its_line_of_documentation():
    settings = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    properties = yaml.safe_load(schema.read_text(encoding="utf-8"))["properties"]
    text = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert list(settings) == list(properties) == documented


def test_the_catalogue_of_workflows_is_told_what_it_asks_for():
    file = ROOT / ".snakemake-workflow-catalog.yml"
    usage = yaml.safe_load(file.read_text(encoding="utf-8"))["usage"]
    assert usage["report"] is True
    assert set(usage["software-stack-deployment"]) == {"conda", "apptainer", "apptainer+conda"}
    profile = usage["mandatory-flags"]["flags"].split()[-1]
    assert (ROOT / profile / "config.yaml").is_file()
