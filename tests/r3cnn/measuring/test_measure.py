"""The exact columns of the paper's tables: parameters and checkpoint sizes of the real models."""

import json

import pytest
import torch
from torch import nn

from r3cnn.measuring import measure
from r3cnn.weights import checkpoint
from r3cnn.weights.building import build_detector
from tests.r3cnn import tiny

# training: total, trainable, checkpoint in MiB, what the paper prints (K parameters, MB)
PUBLISHED = {
    "mask_1x": (44_396_336, 44_170_992, 338.2, (44_170, 339)),
    "htc": (77_456_190, 77_230_846, 590.5, (77_230, 591)),
    "r3_naive_inc": (44_138_228, 43_912_884, 336.3, (43_912, 337)),
    "r3_advanced": (50_298_020, 50_072_676, 383.3, (50_072, 384)),
    "groie": (48_190_258, 47_964_914, 367.2, None),
    "r3l_groie": (54_091_942, 53_866_598, 412.3, None),
    "gcnet": (54_397_245, 54_171_901, 414.6, None),
    "htc_gcnet": (87_457_099, 87_231_755, 666.9, None),
    "r3l_gcnet": (60_298_929, 60_073_585, 459.7, None),
    "dcn": (44_977_178, 44_751_834, 342.7, None),
    "htc_dcn": (78_037_032, 77_811_688, 594.9, None),
    "r3l_dcn": (50_878_862, 50_653_518, 387.7, None),
}
PRINTED = {id_: one[3] for id_, one in PUBLISHED.items() if one[3]}
FROZEN = 225_344
MODULES = {
    "mask_1x": {"bbox_head": 14_306_705, "mask_head": 2_643_280},
    "r3_naive_inc": {"bbox_head": 13_982_805, "mask_head": 2_709_072},
    "r3_advanced": {
        "bbox_head": 8_697_045,
        "mask_head": 2_709_072,
        "mask_iou_head": 11_445_552,
    },
}
COMMON = {"backbone": 23_508_032, "neck": 3_344_384, "rpn_head": 593_935}


@pytest.mark.parametrize("id_", PUBLISHED)
def test_parameters(id_):
    found = measure.parameters(tiny.config(id_, "paper"))
    assert (found["total"], found["trainable"]) == PUBLISHED[id_][:2]
    assert found["total"] - found["trainable"] == FROZEN
    assert sum(found["modules"].values()) == found["total"]
    if id_ in PRINTED:
        assert found["trainable"] // 1000 == PRINTED[id_][0]


@pytest.mark.parametrize("id_", MODULES)
def test_parameters_of_each_module(id_):
    found = measure.parameters(tiny.config(id_, "paper"))["modules"]
    extractors = {"bbox_roi_extractor": 0, "mask_roi_extractor": 0}
    assert found == COMMON | extractors | MODULES[id_]


def test_modules_of_a_model_with_several_heads_count_them_all():
    found = measure.parameters(tiny.config("htc", "paper"))["modules"]
    assert found["bbox_head"] == 3 * MODULES["r3_naive_inc"]["bbox_head"]
    # HTC's first mask head has no residual convolution
    residual = 256 * 256 + 256
    assert found["mask_head"] == 3 * MODULES["r3_naive_inc"]["mask_head"] - residual


def test_a_shared_extractor_counts_once():
    """A user's model may pool for both heads with one extractor."""
    cfg = tiny.config("groie", "paper")
    del cfg.model.roi_head["mask_roi_extractor"]
    found = measure.parameters(cfg)
    assert "mask_roi_extractor" not in found["modules"]
    assert sum(found["modules"].values()) == found["total"] < PUBLISHED["groie"][0]


@pytest.mark.parametrize("id_", ["r3_naive_dec", "r3_1loop", "r3_2loops", "r3_4loops"])
def test_parameters_do_not_depend_on_the_loops(id_):
    found = measure.parameters(tiny.config(id_, "paper"))
    assert (found["total"], found["trainable"]) == PUBLISHED["r3_naive_inc"][:2]


@pytest.mark.parametrize("id_", PUBLISHED)
def test_bytes_of_a_checkpoints_tensors(id_):
    found = measure.checkpoint_size(tiny.config(id_, "paper"))
    total, trainable, mib, printed = PUBLISHED[id_]
    assert found["weights_bytes"] == 4 * total
    assert found["momentum_bytes"] == 4 * trainable
    parts = ("weights_bytes", "buffers_bytes", "momentum_bytes")
    assert found["tensor_bytes"] == sum(found[part] for part in parts)
    assert mib - 1 < found["tensor_bytes"] / 2**20 <= mib + 0.05  # the reference's whole file
    if printed:
        assert found["print_mb"] == printed[1]


def test_mask_rcnns_bytes_are_those_of_the_page():
    found = measure.checkpoint_size(tiny.config("mask_1x", "paper"))
    assert round(found["tensor_bytes"] / 2**20, 2) == 338.06


def test_counting_takes_no_memory(monkeypatch):
    """Everything stands on the meta device, also what is built along the way."""
    devices = []
    register = nn.Module.register_parameter

    def spy(self, name, parameter):
        if parameter is not None:
            devices.append(parameter.device.type)
        register(self, name, parameter)

    monkeypatch.setattr(nn.Module, "register_parameter", spy)
    measure.parameters(tiny.config("r3_advanced", "paper"))
    assert devices
    assert set(devices) == {"meta"}


@pytest.mark.slow
@pytest.mark.parametrize("id_", PRINTED)
def test_the_file_of_one_training_step(id_, tmp_path):
    """As large as the reference's to 1 MiB, and the paper's figure when rounded up."""
    cfg = tiny.config(id_, "paper")
    detector = build_detector(cfg, "cpu")
    settings = {k: v for k, v in cfg.optim_wrapper.optimizer.items() if k != "type"}
    optimizer = torch.optim.SGD(detector.parameters(), **settings)
    for weight in detector.parameters():
        if weight.requires_grad:
            weight.grad = torch.zeros_like(weight)
    optimizer.step()
    content = {"state_dict": detector.state_dict(), "optimizer": optimizer.state_dict(), "step": 1}
    checkpoint.save(tmp_path / "checkpoint.pth", content)
    mib = (tmp_path / "checkpoint.pth").stat().st_size / 2**20
    _, _, published, (_, printed) = PUBLISHED[id_]
    assert abs(mib - published) < 1
    assert -int(-mib // 1) == printed


# --------------------------------------------------------------------- speed and memory


def test_a_measurement_of_the_paper_model_alone(tmp_path):
    measure.measure("mask_1x", tiny.config("mask_1x", "paper"), tmp_path / "m.json")
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["training"] == "mask_1x"
    assert found["parameters"]["total"] == PUBLISHED["mask_1x"][0]
    assert found["checkpoint"]["print_mb"] == 339
    assert "speed" not in found
    assert {"source_sha256", "versions", "device", "end"} <= set(found)


def test_speed_is_measured_for_each_number_of_loops(looped, monkeypatch):
    cfg, weights = looped
    asked = []
    predict_batch = measure.predict_batch
    monkeypatch.setattr(
        measure,
        "predict_batch",
        lambda found, data, loops: asked.append(list(loops)) or predict_batch(found, data, loops),
    )
    found = measure.speed(cfg, weights, [1, 3], images=2)
    assert asked == [[1]] * 3 + [[3]] * 3  # a warm-up, two images
    assert set(found) == {"1", "3"}
    for one in found.values():
        assert one["images"] == 2
        assert one["images_per_second"] > 0
        times = one["latency_seconds"]
        assert 0 < times["p50"] <= times["p95"]
        assert times["p50"] == pytest.approx(1 / one["images_per_second"], abs=1e-3, rel=1e-2)


def test_latency_is_the_mean_the_median_and_what_19_of_20_images_stay_within():
    seconds = [0.1 * n for n in range(20, -1, -1)]
    assert measure.latency(seconds) == {"mean": 1.0, "p50": 1.0, "p95": 1.9}
    assert measure.latency([0.25]) == {"mean": 0.25, "p50": 0.25, "p95": 0.25}


def test_memory_is_measured_in_training_steps(plain, monkeypatch):
    from r3cnn.training.trainer import Trainer

    asked = []
    run_steps = Trainer.run_steps
    monkeypatch.setattr(
        Trainer, "run_steps", lambda self, steps: asked.append(steps) or run_steps(self, steps)
    )
    found = measure.training_memory(plain[0], steps=1)
    assert asked == [1]
    assert found["training_gib"] > 0.1
    per_pass = plain[0].train_dataloader.batch_size
    assert found["how"].endswith(f", {per_pass} images a pass")
