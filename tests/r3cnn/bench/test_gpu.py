"""The measurements for a GPU, run on the CPU at small size. They have not run on a GPU."""

import gc
import json
import weakref

import pytest

from r3cnn.bench import gpu
from r3cnn.bench.models import Images, Step, config
from r3cnn.errors import UserError

SMALL = {"size": (96, 64), "scale": "smoke", "steps": 1, "images": 2}


def test_models_are_measured_in_turn_and_join_those_of_an_earlier_command(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(gpu, "WARM_UP", 0)
    training = gpu.training
    monkeypatch.setattr(
        gpu, "training", lambda cfg, steps: ran.append(cfg.r3cnn.training) or training(cfg, steps)
    )
    out = tmp_path / "gpu.json"
    gpu.measure(out, ["mask_1x", "htc"], **SMALL)
    assert ran == ["mask_1x", "htc"] * 2
    text = gpu.measure(out, ["r3_naive_inc"], **SMALL)
    content = json.loads(out.read_text())
    assert list(content["models"]) == ["mask_1x", "htc", "r3_naive_inc"]
    assert content["size"] == "96x64"
    assert content["memory_of"] == "the process"
    assert content["provenance"]["device"] == content["device"]
    for of in content["models"].values():
        assert of["rounds"] == 2
        assert min(of["step_seconds"], of["images_per_second"], of["training_gib"]) > 0
    line = next(line for line in text.splitlines() if line.startswith("r3_naive_inc"))
    assert line.split()[-1] == "1.02"
    with pytest.raises(UserError, match="size: found 96x64, this run has 64x64"):
        gpu.measure(out, ["htc"], **{**SMALL, "size": (64, 64)})


def test_an_unknown_model(tmp_path):
    with pytest.raises(UserError, match="--models htd: unknown id"):
        gpu.measure(tmp_path / "x.json", ["htd"], **SMALL)


def test_every_architecture_is_one_of_the_catalogue():
    assert set(gpu.MODELS) <= set(gpu.load_catalogue().trainings)
    assert len(gpu.MODELS) == 12


def test_medians_over_rounds():
    rounds = [
        {"step_seconds": [1.0, 2.0], "image_seconds": [0.5], "memory_gib": 3.0, "images_a_step": 2},
        {
            "step_seconds": [9.0],
            "image_seconds": [0.25, 0.25],
            "memory_gib": 4.0,
            "images_a_step": 2,
        },
    ]
    found = gpu.medians(rounds)
    assert (found["step_seconds"], found["images_per_second"]) == (2.0, 4.0)
    assert found["training_gib"] == 4.0


def test_options_of_the_advanced_model():
    images = Images(96, 64, 2)  # its folder lives as long as it does
    found = gpu.options(config("r3_advanced", images, "smoke"), rounds=1)
    assert found["over_direct"]["direct"] == 1
    assert len(found["over_direct"]) == 5
    assert 0 < found["difference"] < 2e-5


def test_the_former_model_is_gone_before_memory_is_counted(monkeypatch):
    built = []

    class Watched(Step):
        def __init__(self, cfg) -> None:
            super().__init__(cfg)
            built.append(weakref.ref(self.detector.roi_head))

    images = Images(96, 64, 2)
    monkeypatch.setattr(gpu, "Step", Watched)
    monkeypatch.setattr(gpu, "WARM_UP", 0)
    gc.disable()
    try:
        gpu.training(config("r3_naive_inc", images, "smoke"), 1)
        assert built[0]() is not None  # it and the taps on its samplers hold each other
        gpu.forget()
        assert built[0]() is None
    finally:
        gc.enable()
