"""Real COCO images: the full-size model trains on them, and the workflow runs on a folder that is given."""

import dataclasses
import json

import pytest
import torch

from tests.e2e.conftest import Run, outcome

pytestmark = pytest.mark.slow
CATALOGUE = """\
extends: nothing
trainings:
  plain: {model: mask_rcnn}
  looped: {model: r3_naive, iou: [0.5, 0.6]}
  advanced: {model: r3_advanced, iou: [0.5, 0.6, 0.7]}
evaluations:
  looped: {loops: [1, 2, 3]}
"""


@pytest.mark.alone
def test_the_paper_s_model_trains_on_real_images(shared, tmp_path):
    from r3cnn.catalogue.scales import load_scale
    from r3cnn.catalogue.trainings import load_catalogue
    from r3cnn.config.resolve import resolve
    from r3cnn.data.check import check
    from r3cnn.training.trainer import Trainer
    from r3cnn.weights.checkpoint import save
    from r3cnn.weights.size import checkpoint_size

    scale = dataclasses.replace(load_scale("paper"), batch=2, workers=0)
    entry = load_catalogue().trainings["r3_naive_inc"]
    cfg = resolve(entry, scale, 0, check(shared / "coco-tiny"), backbone="random")
    trainer = Trainer(cfg, tmp_path / "state")
    trainer.run_steps(2)
    lines = (tmp_path / "state" / "train.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert len(losses) == 2
    assert all(torch.isfinite(torch.tensor(losses)))
    assert trainer.detector.roi_head.bbox_head.num_classes == 80

    save(tmp_path / "checkpoint.pth", trainer.content())
    expected = checkpoint_size(cfg)
    mebibytes = (tmp_path / "checkpoint.pth").stat().st_size / 2**20
    assert abs(mebibytes - 336.3) < 1  # the reference's file
    assert expected["print_mb"] == 337  # the paper's figure


def test_a_given_folder_runs_into_results_of_its_own(shared, tmp_path):
    (tmp_path / "three.yaml").write_text(CATALOGUE)
    data = shared / "coco-tiny"
    run = Run(tmp_path / "results", f"data={data}", f"catalogue={tmp_path / 'three.yaml'}")
    done = run()
    assert done.returncode == 0, outcome(done)
    folder = tmp_path / "results" / "smoke-coco-tiny"
    checked = json.loads((folder / "data.json").read_text())
    assert len(checked["classes"]) == 80
    scores = sorted(
        str(p.relative_to(folder / "scores")) for p in folder.glob("scores/*/seed0/loops?.json")
    )
    assert scores == [
        "advanced/seed0/loops3.json",
        "looped/seed0/loops1.json",
        "looped/seed0/loops2.json",
        "looped/seed0/loops3.json",
        "plain/seed0/loops1.json",
    ]
    assert (folder / "report" / "index.html").is_file()
