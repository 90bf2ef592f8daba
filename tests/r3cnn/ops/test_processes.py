"""Every kind of process finds the operators where mmcv has none: started as users start it, fresh each time.

The .pth file's line stands in a sitecustomize.py, so that no installation is needed; R3CNN_OPS=plain takes the
compiled operators away where they are installed. mmdet's train.py: tests/r3cnn/weights/test_plain_mmdet.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from r3cnn.catalogue.scales import load_scale
from r3cnn.config.resolve import resolve
from r3cnn.core.layout import CHECKOUT
from r3cnn.ops.finder import PTH, SUBSTITUTE
from tests.r3cnn import tiny

pytestmark = pytest.mark.slow

INFERENCE = """\
import sys
from mmdet.apis import inference_detector, init_detector
model = init_detector("taken.py", "taken.pth", device="cpu")
found = inference_detector(model, sys.argv[1]).pred_instances
assert len(found.scores) > 0 and found.masks.any()
"""
LOADER = """\
def tell(worker):
    import mmcv.ops, sys
    print("in a worker:", sys.modules["mmcv._ext"].__file__, flush=True)

if __name__ == "__main__":
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmdet.registry import DATASETS
    from torch.utils.data import DataLoader
    init_default_scope("mmdet")
    cfg = Config.fromfile("taken.py")
    data = DATASETS.build(cfg.train_dataloader.dataset)
    loader = DataLoader(
        data, num_workers=1, multiprocessing_context="spawn", worker_init_fn=tell, collate_fn=list
    )
    sample = next(iter(loader))[0]["data_samples"]
    assert len(sample.gt_instances.masks) > 0
"""
BEFORE = """\
import torch
import mmdet.apis
import r3cnn.models
from mmdet.structures.mask import BitmapMasks
import numpy as np
ellipse = BitmapMasks(np.ones((1, 8, 8), np.uint8), 8, 8)
box = torch.tensor([[0.0, 0, 8, 8]])
cut = ellipse.crop_and_resize(box, (4, 4), torch.tensor([0]), "cpu", binarize=True)
assert cut.masks.all() and cut.masks.shape == (1, 4, 4)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """No compiled operators, and the line that an installation's .pth file holds."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(PTH)
    found = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = f"{site}{os.pathsep}{CHECKOUT}"
    return {**found, "PYTHONPATH": path, "R3CNN_OPS": "plain", "OMP_NUM_THREADS": "1"}


def python(environment: dict[str, str], folder: Path, *words: object) -> str:
    """A fresh Python in a folder; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *map(str, words)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def test_mmdet_before_r3cnn(environment, tmp_path):
    """mmdet's masks keep the operator that they were given when mmdet was imported."""
    python(environment, tmp_path, "-c", BEFORE)


def test_inference_with_an_exported_config_in_an_empty_folder(exported, environment, shapes):
    assert {path.suffix for path in exported.iterdir()} == {".py", ".pth", ".md"}
    image = next(Path(shapes["root"]).rglob("*.png"))
    python(environment, exported, "-c", INFERENCE, image)


def test_a_spawned_loader_s_worker(exported, environment, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(LOADER)
    said = python(environment, exported, script)
    assert f"in a worker: {SUBSTITUTE}" in said.splitlines()


def test_two_processes_under_torchrun(environment, shapes, tmp_path):
    cfg = resolve(tiny.entry("mask_1x"), load_scale("smoke"), 0, shapes)
    config = tiny.written(cfg, tmp_path)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    worker = ("-m", "tests.r3cnn.distributed_worker", 1, tmp_path, config)
    python(environment, CHECKOUT, *torchrun, *worker)
    found = [torch.load(tmp_path / f"config.rank{rank}.pt") for rank in (0, 1)]
    assert all(one["operators"].startswith("plain") for one in found)
    first, second = (one["momentum"] for one in found)
    assert all(torch.equal(gradient, second[name]) for name, gradient in first.items())
