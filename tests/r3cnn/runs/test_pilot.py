"""A pilot: what it trains on, what is read of it, and what the whole costs by that."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from r3cnn.catalogue.costs import COCO_IMAGES
from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.cli import runs
from r3cnn.cli.main import main
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.core.steps import images_a_step, steps_of_epoch
from r3cnn.data.loading import build_dataset, passes_of_epoch
from r3cnn.runs.estimate import Cost, Plan, rows
from r3cnn.runs.pilot import costs_by_pilot, read_pilot
from tests.r3cnn import tiny

COSTS = {
    "measured": {
        "device": "Old GPU",
        "gpus": 8,
        "images": 16,
        "source": "a page",
        "seconds": {"mask_1x": 0.4, "htc": 0.8, "r3_advanced": 1.2},
    },
    "same": {"mask_3x": "mask_1x"},
}
OWN = """\
extends: nothing
trainings:
  mask_1x: {model: mask_rcnn}
  mask_3x: {model: mask_rcnn, schedule: 3x}
  htc: {model: htc}
  r3_advanced: {model: r3_advanced, iou: [0.5, 0.6, 0.7]}
"""


def finish(results: Path, id_: str, seconds: float, gpus: int = 1, memory: float | None = 5.5):
    """A finished training of a pilot: 100 steps, whose first 50 take ten times as long."""
    folder = results / "trainings" / id_ / "seed0"
    folder.mkdir(parents=True)
    about = {"device": "New GPU", "world_size": gpus, "batch": 2 * gpus, "iterations": 100}
    (folder / "manifest.json").write_text(json.dumps(about))
    lines = [
        {"loss": 4.0 if step < 50 else 2.0, "seconds": seconds * (10 if step < 50 else 1)}
        for step in range(100)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if memory is not None:
        (results / "measurements").mkdir(exist_ok=True)
        measured = {"memory": {"training_gib": memory}}
        (results / "measurements" / f"{id_}.json").write_text(json.dumps(measured))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pilot of Mask R-CNN on one GPU and of HTC on two, costs and a catalogue."""
    (tmp_path / "costs.yaml").write_text(yaml.safe_dump(COSTS))
    (tmp_path / "own.yaml").write_text(OWN)
    pilot = tmp_path / "results" / "paper-pilot"
    finish(pilot, "mask_1x", 0.3)
    finish(pilot, "htc", 0.5, gpus=2, memory=None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def costs(project: Path) -> dict[str, Cost]:
    trainings = load_catalogue("own.yaml").trainings.values()
    return costs_by_pilot(read_pilot(Path("results/paper-pilot")), Path("costs.yaml"), trainings)


def test_what_is_read(project):
    htc, mask = read_pilot(Path("results/paper-pilot"))
    assert (mask.training, mask.device, mask.gpus, mask.steps) == ("mask_1x", "New GPU", 1, 100)
    assert (mask.seconds, mask.gpu_seconds) == (pytest.approx(0.3), pytest.approx(0.15))
    assert (mask.first_loss, mask.last_loss, mask.memory) == (4.0, 2.0, 5.5)
    assert (htc.gpu_seconds, htc.memory) == (pytest.approx(0.5 * 2 / 4), None)


def test_what_is_piloted_costs_what_was_measured_the_rest_is_in_proportion(project):
    found = costs(project)
    assert found["mask_1x"] == Cost(pytest.approx(0.15), 5.5, "New GPU", "pilot")
    assert found["mask_3x"] == Cost(pytest.approx(0.15), None, "New GPU", "1.00 x mask_1x, pilot")
    # 1.2 s is nearer to HTC's 0.8 than to Mask R-CNN's 0.4
    assert found["r3_advanced"] == Cost(
        pytest.approx(0.25 * 1.5), None, "New GPU", "1.50 x htc, pilot"
    )


def test_the_cost_of_the_whole(project):
    catalogue, plan = load_catalogue("own.yaml"), Plan(8, 8)
    sizes = dict.fromkeys(catalogue.trainings, 10**9)
    scale = load_scale("paper")
    found = rows(catalogue, scale, Path("results/paper"), costs(project), sizes, plan)
    hours = {row.training: row.gpu_hours for row in found}
    images = 7330 * 16 * 12  # 7,330 steps an epoch on COCO
    assert hours["mask_1x"] == pytest.approx(images * 0.15 / 3600)
    assert hours["mask_3x"] == pytest.approx(3 * hours["mask_1x"])
    assert hours["htc"] == pytest.approx(images * 0.25 / 3600)


def test_the_plan_uses_a_pilot_that_is_there(project, monkeypatch):
    monkeypatch.setattr(runs, "_checkpoints", lambda known, _: dict.fromkeys(known.trainings, 1))
    words = ["estimate", "--scale", "paper", "--catalogue", "own.yaml"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "Scale paper on New GPU, 8 GPUs a training:" in done.output
    lines = {line.split()[0]: line for line in done.output.splitlines() if line.strip()}
    assert lines["mask_1x"].split()[-5:] == ["100", "6.67", "5.5", "4.000", "2.000"]
    done = CliRunner().invoke(main, [*words, "--measurements", "costs.yaml"])
    assert "Scale paper on Old GPU" in done.output
    done = CliRunner().invoke(main, [*words, "--pilot", "elsewhere"])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "--pilot elsewhere: no finished training in it" in done.output


def test_a_damaged_log_is_named(project):
    log = Path("results/paper-pilot/trainings/htc/seed0/train.jsonl")
    log.write_text('{"loss": 1}\n')
    with pytest.raises(UserError, match=r"htc/seed0/train\.jsonl: no log of a training"):
        read_pilot(Path("results/paper-pilot"))


def test_given_weights_are_no_pilot(project):
    manifest = Path("results/paper-pilot/trainings/htc/seed0/manifest.json")
    manifest.write_text(json.dumps({"iterations": 0, "weights": {"source": "x", "sha256": "y"}}))
    assert [one.training for one in read_pilot(Path("results/paper-pilot"))] == ["mask_1x"]


# ------------------------------------------------------------------------- the scale


def test_the_scale_is_a_gpus_share_of_the_papers():
    pilot, paper = load_scale("paper-pilot"), load_scale("paper")
    assert (pilot.images, pilot.per_pass, pilot.workers) == (
        paper.images,
        paper.per_pass,
        paper.workers,
    )
    assert (pilot.network, pilot.warmup) == (paper.network, paper.warmup)
    assert pilot.batch * 8 == paper.batch
    assert pilot.lr * 8 == pytest.approx(paper.lr)
    assert pilot.schedules.keys() == paper.schedules.keys()


@pytest.mark.parametrize("wide", [0, 1, 1000, 1400, 1999])
def test_its_epoch_has_1000_steps(wide):
    pilot = load_scale("paper-pilot")
    images = pilot.images_of_epoch(COCO_IMAGES["train"])
    passes = passes_of_epoch([i < wide for i in range(images)], pilot.per_pass, seed=0, epoch=0)
    assert len(passes) == 1000
    batch = images_a_step(pilot.batch, pilot.per_pass, 1)
    assert steps_of_epoch(images, batch) == 1000


def test_it_resolves_to_the_first_images(shapes):
    cfg = resolve(tiny.entry("mask_1x"), load_scale("paper-pilot"), 0, shapes, backbone="random")
    assert cfg.train_dataloader.dataset.indices == 1999
    assert (cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.max_epochs) == (0.0025, 1)
    assert "indices" not in cfg.val_dataloader.dataset
    everything = build_dataset(cfg.train_dataloader)
    cfg.train_dataloader.dataset.indices = 5
    first = build_dataset(cfg.train_dataloader)
    assert (len(everything), len(first)) == (7, 5)
    ids = [[d.get_data_info(i)["img_id"] for i in range(5)] for d in (everything, first)]
    assert ids[0] == ids[1]
