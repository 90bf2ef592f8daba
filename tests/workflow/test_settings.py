"""settings.json, and the commands that the report prints by it."""

import json
import shlex
import shutil

import pytest

from reports.page.details import again_command
from reports.page.gallery import load_gallery
from reports.results.load import load_results
from reports.results.setting import run_command
from tests.workflow.trees import Tree, coco_folder

CATALOGUE = "extends: nothing\ntrainings:\n  mine: {model: r3_naive, iou: [0.5, 0.6]}\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Tree:
    """A run with a scale file, data, a backbone, seeds and a catalogue of the user's own, up to its check."""
    from tests.workflow.trees import project

    tree = project(tmp_path_factory.mktemp("own"))
    scale = tree.root / "experiments" / "scales" / "paper.yaml"
    shutil.copy(scale, tree.root / "my scale.yaml")
    (tree.root / "own.yaml").write_text(CATALOGUE)
    coco_folder(tree.root / "my photos")
    settings = ("scale=my scale.yaml", "data=my photos", "catalogue=own.yaml", "backbone=random")
    target = "out/my scale-my_photos/data.json"
    tree.snakemake("--cores", "1", "--config", *settings, "seeds=3,4", "results=out", "--", target)
    return tree


def plan(tree: Tree, command: str):
    program, *words = shlex.split(command)
    assert program == "snakemake"
    return tree.plan(*words)


def test_the_run_writes_down_what_it_was_told(own):
    assert json.loads((own.root / "out/my scale-my_photos/settings.json").read_text()) == {
        "scale": "my scale.yaml",
        "data": "my photos",
        "catalogue": "own.yaml",
        "backbone": "random",
        "results": "out",
        "seeds": "3,4",
        "trainings": ["mine"],
    }


def test_the_printed_commands_run(own, monkeypatch):
    """Each one as a person would paste it."""
    monkeypatch.chdir(own.root)
    results = load_results(own.root / "out" / "my scale-my_photos")
    name = "scores/mine/seed3/loops2.json"
    assert plan(own, run_command(results, name)).trainings["train"] == {("mine", 3)}
    again = plan(own, again_command(results, name))
    assert again.trainings["train"] == {("mine", 3)}
    assert again.counts["check"] == 1
    assert f"--out 'again/my scale-my_photos/{name}'" in again.output
    assert plan(own, run_command(results)).trainings["train"] == {("mine", 3), ("mine", 4)}
    (model, missing), *_ = load_gallery(results).missing
    assert model == "Mask R-CNN"
    assert plan(own, missing).trainings["predict"] == {("mask_1x", 0)}


def test_neither_input_nor_parameter(own):
    """An edit of settings.json plans nothing."""
    path = own.root / "out" / "my scale-my_photos" / "settings.json"
    path.write_text("{}")
    config = ("scale=my scale.yaml", "data=my photos", "catalogue=own.yaml", "backbone=random")
    target = "out/my scale-my_photos/data.json"
    assert own.plan("--config", *config, "results=out", "--", target).nothing


def test_a_mistyped_target_is_one_line_with_the_right_name(own):
    done = own.snakemake("-n", "--", "tabel2", check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "tabel2" in line
    assert line.endswith("(did you mean table2?)")
    assert "Exception" not in done.stdout + done.stderr
