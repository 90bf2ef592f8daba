"""Each architecture learns: at its smoke size it fits eight generated images."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from r3cnn.catalogue.scales import SCALES
from r3cnn.core.files import write_json
from r3cnn.core.layout import CHECKOUT as ROOT

pytestmark = [pytest.mark.slow, pytest.mark.alone]
SCALE = SCALES / "smoke.yaml"
# training: loops of its evaluation, epochs of two steps, learning rate
SETTINGS = {
    "mask_1x": (1, 200, 0.02),
    "htc": (3, 150, 0.01),
    "r3_naive_inc": (3, 150, 0.01),
    "r3_advanced": (3, 250, 0.005),  # its large kernels die of more
}


def long_schedule(epochs: int, lr: float) -> str:
    """The scale `smoke` with more epochs, and a warm-up and rate to go with them."""
    scale = SCALE.read_text()
    for old, new in (
        ("1x: {epochs: 2, drops: []}", f"1x: {{epochs: {epochs}, drops: [{epochs * 3 // 4}]}}"),
        ("warmup: {iterations: 8,", "warmup: {iterations: 30,"),
        ("lr: 0.002\n", f"lr: {lr}\n"),
    ):
        assert old in scale
        scale = scale.replace(old, new)
    return scale


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight images that are training and validation set at once, checked."""
    from r3cnn.data.check import check
    from r3cnn.data.synthetic.shapes import generate

    folder = tmp_path_factory.mktemp("eight") / "data"
    generate(folder, train=8, val=8, width=160, height=128, classes=6, seed=0)
    shutil.rmtree(folder / "val2017")
    shutil.copytree(folder / "train2017", folder / "val2017")
    names = [folder / "annotations" / f"instances_{s}2017.json" for s in ("train", "val")]
    shutil.copyfile(*names)
    return check(folder)


def r3cnn(*arguments: object) -> None:
    """Run a command of the method's command line."""
    run = [sys.executable, "-m", "r3cnn", *map(str, arguments)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(run, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("training", SETTINGS)
def test_fits_eight_images(training, eight, tmp_path):
    loops, epochs, lr = SETTINGS[training]
    write_json(tmp_path / "data.json", eight)
    (tmp_path / "long.yaml").write_text(long_schedule(epochs, lr))
    given = ("--scale", tmp_path / "long.yaml", "--data", tmp_path / "data.json")
    config, checkpoint = tmp_path / "config.py", tmp_path / "checkpoint.pth"
    r3cnn("resolve", "--training", training, *given, "--out", config)
    r3cnn("train", "--config", config, "--out", tmp_path, "--state", tmp_path / "state")
    predictions = tmp_path / "p.parquet"
    r3cnn(
        "predict",
        *("--config", config, "--checkpoint", checkpoint),
        *("--loops", loops, "--out", predictions),
    )
    annotations = eight["splits"]["val"]["annotations"]
    r3cnn(
        "score",
        *("--predictions", predictions, "--loops", loops),
        *("--annotations", annotations, "--out", tmp_path / "score.json"),
    )
    found = json.loads((tmp_path / "score.json").read_text())
    assert found["bbox"]["AP50"] >= 0.9
    assert found["segm"]["AP50"] >= 0.8
