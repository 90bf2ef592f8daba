"""Resolved configs as mmdet's own users run them: its train and test scripts, without this project's loop."""

import os
import subprocess
import sys
from pathlib import Path

import mmdet
import pytest

from r3cnn.catalogue.scales import load_scale
from r3cnn.config.resolve import resolve
from tests.r3cnn import tiny

pytestmark = pytest.mark.slow
TOOLS = Path(mmdet.__file__).parent / ".mim" / "tools"


def run(folder: Path, *words: object) -> str:
    """A script of mmdet in another folder; returns all that it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *map(str, words)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(tiny.ROOT),
            "OMP_NUM_THREADS": "1",
            "R3CNN_OPS": "plain",  # as where mmcv is not compiled
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


def test_two_iterations_and_a_test(shapes, tmp_path):
    """Eight images in batches of four: two iterations, a validation and a checkpoint; then a test of that."""
    cfg = resolve(tiny.entry("r3_advanced"), load_scale("smoke"), 0, shapes)
    config = tiny.written(cfg, tmp_path)
    options = ("--cfg-options", "train_cfg.max_epochs=1", "default_hooks.logger.interval=1")
    out = run(tmp_path, TOOLS / "train.py", config, "--work-dir", "work", *options)
    assert "Epoch(train) [1][1/2]" in out
    assert "Epoch(train) [1][2/2]" in out
    assert "nan" not in out.partition("[1][2/2]")[2].partition("\n")[0]
    assert (tmp_path / "work" / "epoch_1.pth").is_file()
    assert "coco/segm_mAP" in out
    tested = run(tmp_path, TOOLS / "test.py", config, "work/epoch_1.pth", "--work-dir", "tested")
    assert "Epoch(test) [4/4]" in tested
    assert "coco/bbox_mAP" in tested
