"""The estimate of a scale's cost: its arithmetic, what it leaves out, and a real probe."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from r3cnn.catalogue.costs import training_images, validation_images
from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.cli.main import main
from r3cnn.core.errors import UserError
from r3cnn.core.steps import images_a_step
from r3cnn.runs import estimate

COSTS = {
    "measured": {
        "device": "Some GPU",
        "gpus": 8,
        "images": 16,
        "source": "a page",
        "seconds": {"mask_1x": 0.5, "htc": 1.0},
    },
    "relative": {
        "source": "a CPU",
        "seconds": {"mask_1x": 10.0, "htc": 20.0, "r3_advanced": 30.0, "r3_naive": 10.0},
        "to": {"r3_naive": "htc"},
    },
    "same": {"mask_3x": "mask_1x"},
    "memory": {"source": "a table", "gigabytes": {"mask_1x": 4.4}},
}
OWN = """\
extends: nothing
trainings:
  mask_1x: {model: mask_rcnn}
  mask_3x: {model: mask_rcnn, schedule: 3x}
  htc: {model: htc}
  r3_advanced: {model: r3_advanced, iou: [0.5, 0.6, 0.7]}
  r3_naive: {model: r3_naive, iou: [0.5, 0.6, 0.7]}
"""


@pytest.fixture
def costs(tmp_path: Path) -> Path:
    file = tmp_path / "costs.yaml"
    file.write_text(yaml.safe_dump(COSTS))
    return file


@pytest.fixture
def catalogue(tmp_path: Path):
    (tmp_path / "own.yaml").write_text(OWN)
    return load_catalogue(tmp_path / "own.yaml")


def rows_of(catalogue, costs, results, plan, scale="paper"):
    found = estimate.recorded(costs, catalogue.trainings.values())
    sizes = dict.fromkeys(catalogue.trainings, 10**9)
    return estimate.rows(catalogue, load_scale(scale), results, found, sizes, plan)


def test_the_cost_of_an_image(catalogue, costs):
    found = estimate.recorded(costs, catalogue.trainings.values())
    assert found["mask_1x"] == estimate.Cost(0.25, 4.4, "Some GPU", "measured")
    assert found["mask_3x"] == found["mask_1x"]
    assert found["htc"] == estimate.Cost(0.5, None, "Some GPU", "measured")
    assert found["r3_advanced"].gpu_seconds == pytest.approx(0.75)
    assert found["r3_advanced"].how == "3.00 x mask_1x"
    assert found["r3_naive"] == estimate.Cost(0.25, None, "Some GPU", "0.50 x htc")


def test_the_hours_of_the_papers_schedule(catalogue, costs, tmp_path):
    found = {row.training: row for row in rows_of(catalogue, costs, tmp_path, estimate.Plan(8, 8))}
    assert found["mask_1x"].steps == 12 * 7330  # as mmdet counts them on COCO with 8 GPUs
    assert found["mask_1x"].gpu_hours == pytest.approx(12 * 7330 * 0.5 * 8 / 3600)
    assert found["mask_3x"].gpu_hours == pytest.approx(3 * found["mask_1x"].gpu_hours)
    assert found["mask_1x"].gigabytes == 4


def test_what_is_done_costs_nothing_more(catalogue, costs, tmp_path):
    folder = tmp_path / "trainings" / "mask_3x" / "seed0"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    plan = estimate.Plan(16, 8, price=2.0, watts=500)
    found = rows_of(catalogue, costs, tmp_path, plan)
    assert [row.training for row in found if row.done] == ["mask_3x"]
    text = estimate.render(found, load_scale("paper"), plan, "Some GPU", ["a page"])
    hours = sum(row.gpu_hours for row in found if not row.done)
    assert f"To do: 4 of 5 trainings, {hours:.0f} GPU-hours, 16.0 GB" in text
    assert f"Money: {2 * hours:.0f} at 2 a GPU-hour." in text
    assert f"Energy: {hours / 2:.0f} kWh at 500 W a GPU." in text
    assert "With 16 GPUs, 2 at a time: " in text
    assert "validations between the epochs come on top" in text


def test_trainings_run_beside_each_other():
    def row(hours):
        return estimate.Row("x", 0, False, 1, hours, None, 0, "")

    left = [row(80), row(40), row(32), row(8)]
    assert estimate.wall_hours(left, estimate.Plan(8, 8)) == 20
    assert estimate.wall_hours(left, estimate.Plan(16, 8)) == 10
    assert estimate.wall_hours(left, estimate.Plan(8, 1)) == 80
    assert estimate.wall_hours([], estimate.Plan(8, 8)) == 0


@pytest.mark.parametrize(("gpus", "batch"), [(1, 16), (3, 18), (8, 16), (16, 32)])
def test_the_batch_is_the_trainings_own(gpus, batch):
    paper = load_scale("paper")
    assert images_a_step(paper.batch, paper.per_pass, gpus) == batch


def test_the_images_of_checked_data_count(tmp_path):
    paper, smoke = load_scale("paper"), load_scale("smoke")
    assert training_images(paper, tmp_path) == 117_266
    assert training_images(smoke, tmp_path) == smoke.data["shapes"]["train"]
    assert validation_images(paper, tmp_path) == 5000
    assert validation_images(smoke, tmp_path) == smoke.data["shapes"]["val"]
    splits = {
        "train": {"image_count": 100, "images_without_objects": 10},
        "val": {"image_count": 7},
    }
    (tmp_path / "data.json").write_text(json.dumps({"splits": splits}))
    assert training_images(paper, tmp_path) == 90
    assert validation_images(paper, tmp_path) == validation_images(smoke, tmp_path) == 7


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c["measured"]["seconds"].pop("mask_1x"), "mask_1x: no measurement; measure"),
        (lambda c: c["measured"].pop("gpus"), "measured: gpus is missing; expected a mapping with"),
        (
            lambda c: c["measured"].update(gpus="8"),
            'measured.gpus: found "8"; expected a number above 0',
        ),
        (
            lambda c: c["measured"].update(images=0),
            "measured.images: found 0; expected a number above",
        ),
        (lambda c: c["measured"].update(device=None), "measured.device: found null; expected text"),
        (lambda c: c["measured"].pop("source"), "measured: source is missing"),
        (
            lambda c: c["measured"]["seconds"].update(htc="fast"),
            'seconds.htc: found "fast"; expected',
        ),
        (
            lambda c: c["relative"]["seconds"].update(htc=0),
            "relative.seconds.htc: found 0; expected",
        ),
        (lambda c: c.update(memory=[1]), "memory: found .1.; expected a mapping"),
        (lambda c: c.clear(), "the file: measured is missing"),
        (lambda c: c["relative"].pop("seconds"), "r3_advanced: no measurement"),
    ],
)
def test_a_mistake_in_the_measurements(catalogue, costs, change, expected):
    content = yaml.safe_load(costs.read_text())
    change(content)
    costs.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=expected):
        estimate.recorded(costs, catalogue.trainings.values())


def test_a_data_json_without_counts(tmp_path):
    (tmp_path / "data.json").write_text('{"splits": {"train": 5}}')
    with pytest.raises(UserError, match=r"data.json: splits.train: found no counts"):
        training_images(load_scale("paper"), tmp_path)
    for content in ('{"splits": {"val": {}}}', '{"splits": {"val": 5}}', '{"root": "x"}'):
        (tmp_path / "data.json").write_text(content)
        with pytest.raises(UserError, match=r"data.json: splits.val: found no counts"):
            validation_images(load_scale("paper"), tmp_path)


@pytest.mark.parametrize("option", ["--price", "--watts"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_price_that_is_no_number(option, value):
    done = CliRunner().invoke(main, ["estimate", option, value])
    assert done.exit_code == 1
    assert f"error: {option} {value}: expected a number" in done.output


def test_the_projects_measurements_know_every_training():
    paper = load_catalogue().trainings
    found = estimate.recorded(estimate.COSTS, paper.values())
    assert found.keys() == paper.keys()
    assert all(source for source in estimate.sources_of(estimate.COSTS))
    assert found["r3_4loops"].gpu_seconds > found["r3_2loops"].gpu_seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--passes", "3"], "--passes: only for --probe; add --probe, or remove it"),
        (["--out", "costs.yaml"], "--out: only for --probe"),
        (["--probe", "--measurements", "x.yaml"], "--measurements x.yaml: cannot be combined with"),
        (
            ["--scale", "smoke", "--probe", "--out", "no/costs.yaml"],
            "no folder no; make it, or name",
        ),
    ],
)
def test_options_without_effect_are_refused_before_anything_is_measured(words, said):
    done = CliRunner().invoke(main, ["estimate", *words])
    assert done.exit_code == 1
    assert said in done.stderr


def test_a_probe_of_the_device_at_hand(catalogue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["estimate", "--scale", "smoke", "--catalogue", "own.yaml", "--gpus", "2", "--probe"]
    done = CliRunner().invoke(main, [*words, "--passes", "2"])
    assert done.exit_code == 0, done.output
    assert "To do: 5 of 5 trainings" in done.output
    measured = yaml.safe_load((tmp_path / "costs.smoke.yaml").read_text())
    assert measured["same"] == {"mask_3x": "mask_1x"}
    assert set(measured["measured"]["seconds"]) == {"mask_1x", "htc", "r3_advanced", "r3_naive"}
    assert min(measured["measured"]["seconds"].values()) > 0


def test_more_gpus_a_training_than_there_are(tmp_path):
    done = CliRunner().invoke(main, ["estimate", "--gpus", "4", "--gpus-of-training", "8"])
    assert done.exit_code == 1
    assert "error: --gpus-of-training 8: more than --gpus 4; expected at most 4" in done.output


def test_a_small_scale_is_not_planned_by_the_costs_of_the_papers_network():
    done = CliRunner().invoke(main, ["estimate", "--scale", "smoke"])
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert "--scale smoke: costs.yaml" in line
    assert "--probe" in line
