"""Each architecture learns: at its smoke size it fits eight generated images."""

import dataclasses
import json
import shutil

import pytest

pytestmark = pytest.mark.slow
EPOCHS = {"mask_1x": 150, "htc": 150, "r3_naive_inc": 150, "r3_advanced": 150}


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight images that are training and validation set at once, checked."""
    from r3cnn.data.check import check
    from r3cnn.data.shapes import generate

    folder = tmp_path_factory.mktemp("eight") / "data"
    generate(folder, train=8, val=8, width=160, height=128, classes=6, seed=0)
    shutil.rmtree(folder / "val2017")
    shutil.copytree(folder / "train2017", folder / "val2017")
    names = [folder / "annotations" / f"instances_{s}2017.json" for s in ("train", "val")]
    shutil.copyfile(*names)
    return check(folder)


@pytest.mark.parametrize("training", EPOCHS)
def test_fits_eight_images(training, eight, tmp_path):
    from r3cnn.catalogue import load_catalogue, load_scale
    from r3cnn.config import load_config, resolve
    from r3cnn.files import write_atomically
    from r3cnn.predict import predict
    from r3cnn.score import score
    from r3cnn.train import train

    epochs = EPOCHS[training]
    long = {"epochs": epochs, "drops": [epochs * 3 // 4]}
    scale = dataclasses.replace(
        load_scale("smoke"),
        schedules={"1x": long, "3x": long},
        warmup={"iterations": 30, "factor": 0.1},
    )
    config = tmp_path / "config.py"
    catalogue = load_catalogue()
    write_atomically(config, resolve(catalogue.trainings[training], scale, 0, eight).pretty_text)
    cfg = load_config(config)
    train(config, cfg, tmp_path, tmp_path / "state")
    loops = catalogue.evaluations[training][-1] if training == "htc" else cfg.r3cnn.loops_trained
    predict(cfg, tmp_path / "checkpoint.pth", [loops], tmp_path / "p.parquet")
    annotations = eight["splits"]["val"]["annotations"]
    score(tmp_path / "p.parquet", loops, annotations, tmp_path / "score.json")
    found = json.loads((tmp_path / "score.json").read_text())
    assert found["bbox"]["AP50"] >= 0.9
    assert found["segm"]["AP50"] >= 0.8
