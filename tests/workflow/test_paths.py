"""Every path that a rule gives to a shell reaches the command as it is, whatever stands in it."""

import re
import shlex

import pytest

from tests.workflow.trees import Tree, coco_folder

AWKWARD = """My Drive; it's "a" café 猫 $(touch hit) `touch hit` & x | y # ~ * [b] \\t"""
LOCAL = ("--profile", "workflow/profiles/local", "--cores", "2")
CATALOGUE = """\
extends: nothing
tables: my tables.yaml
trainings:
  mask_3x: {model: mask_rcnn, schedule: 3x}
  zoo: {model: mask_rcnn, weights: {file: "zoo's.pth", sha256: '%s'}}
  again: {model: mask_rcnn, schedule: 3x, options: {a.b: 1}, trained_as: mask_3x}
""" % ("0" * 64)
TABLES = """\
tables:
  own:
    title: Own
    caption: One row.
    columns:
      - {name: bbox_AP, heading: Box AP, source: {score: bbox.AP}, format: percent}
    rows:
      - {label: Mask, training: mask_3x, loops: 1}
"""
RULES = {
    *("shapes", "check", "resolve", "train", "weights", "reuse", "predict", "score", "measure"),
    *("own", "figure2", "claims", "report"),
}


@pytest.fixture
def awkward(fresh: Tree, tmp_path) -> tuple[Tree, dict[str, str]]:
    """A project, and settings that all lie in a folder with an awkward name."""
    folder = tmp_path / AWKWARD
    folder.mkdir()
    (folder / "mine.yaml").write_text(CATALOGUE, encoding="utf-8")
    (folder / "my tables.yaml").write_text(TABLES, encoding="utf-8")
    (folder / "zoo's.pth").write_text("weights")
    smoke = (fresh.root / "experiments" / "scales" / "smoke.yaml").read_text()
    (folder / "own scale.yaml").write_text(smoke)
    paper = (fresh.root / "experiments" / "scales" / "paper.yaml").read_text()
    (folder / "large scale.yaml").write_text(paper)
    (folder / "resnet.pth").write_text("weights")
    coco_folder(folder / "coco")
    names = {"catalogue": "mine.yaml", "scale": "own scale.yaml", "results": "res"}
    return fresh, {key: str(folder / name) for key, name in names.items()}


def config(settings: dict[str, str]) -> list[str]:
    return ["--config", *(f"{key}={value}" for key, value in settings.items())]


def commands(output: str) -> list[str]:
    """The shell commands of a dry run."""
    found = re.findall(r"^ *(?:Shell command:)? *((?:exec +)?python -m .*)$", output, re.MULTILINE)
    return [command.removeprefix("exec ").strip() for command in found]


def test_every_rules_command_holds_each_path_as_one_quoted_word(awkward, tmp_path):
    tree, settings = awkward
    folder = tmp_path / AWKWARD
    given = {"data": folder / "coco", "scale": folder / "large scale.yaml"}
    own = settings | given | {"backbone": folder / "resnet.pth"}
    plans = [tree.plan(*config(settings)), tree.plan(*config(own))]
    assert set(plans[0].counts) - {"all"} == RULES
    assert set(plans[1].counts) - {"all"} == RULES - {"shapes"}
    asked = set()
    for plan in plans:
        jobs = sum(n for rule, n in plan.counts.items() if rule != "all")
        found = commands(plan.output)
        assert len(found) == jobs
        for command in found:
            words = shlex.split(command)
            plain = [word if word in (">", "2>&1") else shlex.quote(word) for word in words]
            assert re.sub(" +", " ", command) == " ".join(plain)
            assert words[-3] == ">"
            assert words[-1] == "2>&1"
            assert words[-2].startswith(f"{settings['results']}/")
            paths = [word for word in words[words.index("-m") + 2 : -3] if "/" in word]
            assert all(word.startswith((f"{folder}/", "reports/")) for word in paths), paths
            asked.update(word for word in words if word.startswith("--"))
    assert {"--scale", "--data", "--backbone", "--catalogue", "--tables", "--source"} <= asked
    assert not list(tmp_path.rglob("hit"))


@pytest.mark.slow
def test_a_row_runs_in_a_folder_of_such_a_name(awkward, tmp_path):
    tree, settings = awkward
    done = tree.snakemake(*LOCAL, *config(settings))
    results = tmp_path / AWKWARD / "res" / "own scale"
    assert (results / "report" / "index.html").is_file(), done.stderr
    assert (results / "trainings" / "again" / "seed0" / "manifest.json").is_file()
    assert (results / "logs" / "train" / "mask_3x.seed0.log").is_file()
    assert tree.plan(*config(settings)).nothing
    assert not list(tmp_path.rglob("hit"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([AWKWARD, "project"])


def test_a_command_in_the_name_of_the_results_is_a_name(fresh):
    target = "a;touch X/smoke/data.json"
    fresh.snakemake(*LOCAL, "--config", "results=a;touch X", "--", target)
    assert (fresh.root / target).is_file()
    assert not (fresh.root / "X").exists()
    assert not (fresh.root / "a").exists()


@pytest.mark.parametrize(("key", "letter"), [("results", "{"), ("data", "\n"), ("scale", "<")])
def test_what_snakemake_cannot_carry_is_refused_in_one_line(fresh, key, letter):
    done = fresh.snakemake("-n", "--config", f"{key}=a{letter}b", check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"error: --config {key}: found {f'a{letter}b'!r}")
