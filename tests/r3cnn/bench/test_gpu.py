"""The measurements for a GPU, run on the CPU at small size. They have not run on a GPU."""

import gc
import json
import math
import weakref

import pytest
import torch

from r3cnn.bench import gpu, gpu_options
from r3cnn.bench.models import Images, Step, batches_of, config, predictor
from r3cnn.core.errors import UserError
from r3cnn.evaluation.predict import predict_batch
from r3cnn.ops.backend import is_compiled

SMALL = {"size": (96, 64), "scale": "smoke", "steps": 1, "images": 2}


def test_models_are_measured_in_turn_and_join_those_of_an_earlier_command(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(gpu, "WARM_UP", 0)
    training = gpu.training
    monkeypatch.setattr(
        gpu, "training", lambda cfg, steps: ran.append(cfg.r3cnn.training) or training(cfg, steps)
    )
    out = tmp_path / "gpu.json"
    rows = {"score": {"what": "scoring", "against": "pycocotools", "ratio": 0.5}}
    out.write_text(json.dumps({"rows": rows}))
    gpu.measure(out, ["mask_1x"], **SMALL)
    assert ran == ["htc", "mask_1x"] * 2
    first = json.loads(out.read_text())
    text = gpu.measure(out, ["r3_naive_inc"], **{**SMALL, "steps": 2})
    content = json.loads(out.read_text())
    assert content["rows"] == rows
    assert list(content["models"]) == ["htc", "mask_1x", "r3_naive_inc"]
    assert (content["size"], content["classes"]) == ("96x64", 80)
    assert content["models"]["mask_1x"] == first["models"]["mask_1x"]
    for id_, of in content["models"].items():
        measured = of["measured"]
        assert of["rounds"] == 2
        assert min(of["step_seconds"], of["images_per_second"]) > 0
        assert measured["device"] == content["device"]
        assert (measured["steps"], measured["images"]) == (1 if id_ == "mask_1x" else 2, 2)
    line = next(line for line in text.splitlines() if line.startswith("r3_naive_inc"))
    assert line.split()[-1] == "1.02"
    with pytest.raises(UserError, match="size: found 96x64, this run has 64x64"):
        gpu.measure(out, ["htc"], **{**SMALL, "size": (64, 64)})


def test_a_ratio_is_of_one_run():
    def figures(rate: float) -> dict:
        return {"images_per_second": rate, "step_seconds": 2 / rate, "training_gib": None}

    found = gpu.over(figures(8.0), figures(4.0))
    assert found == {"speed": 2.0, "step": 0.5, "memory": None}


def test_on_a_cpu_memory_is_not_measured():
    images = Images(96, 64, 2)
    assert gpu.training(config("mask_1x", images, "smoke"), 1)["memory_gib"] is None
    assert gpu.NO_MEMORY.startswith("nothing: ")


@pytest.mark.parametrize("given", [{}, {"size": (96, 64)}, {"scale": "smoke"}])
def test_without_a_gpu_full_size_is_refused(tmp_path, given, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    out = tmp_path / "gpu.json"
    with pytest.raises(UserError, match=r"torch finds no GPU, .* --size 96x64 --scale smoke"):
        gpu.measure(out, **given)
    assert not out.exists()


def test_the_heads_have_as_many_classes_as_with_coco():
    images = Images(96, 64, 1, gpu.CLASSES)
    cfg = config("htc", images, "smoke")
    detector = predictor(cfg)
    assert {head.fc_cls.out_features for head in detector.roi_head.bbox_head} == {81}
    assert {head.conv_logits.out_channels for head in detector.roi_head.mask_head} == {80}
    found = predict_batch(detector, batches_of(cfg)[0], [3])[3][0]
    assert len(found) == cfg.model.test_cfg.rcnn.max_per_img


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


# ------------------------------------------------------------- the advanced model, faster


@pytest.fixture(scope="module")
def ways() -> dict[str, gpu_options.Way]:
    images = Images(96, 64, 2, 80)
    return gpu_options.ways_of(config("r3_advanced", images, "smoke"))


def test_options_of_the_advanced_model():
    images = Images(96, 64, 2)  # its folder lives as long as it does
    found = gpu.options(config("r3_advanced", images, "smoke"), rounds=1)
    assert found["over_direct"]["direct"] == 1
    assert found["over_direct"].keys() == found["difference"].keys()
    assert len(found["difference"]) == 5
    assert found["difference"]["direct"] == 0
    assert 0 < found["difference"]["matrix products"] < 2e-5


def test_ways_in_float32_give_equal_outputs_and_bf16_says_how_far_it_is(ways):
    found = gpu_options.differences(ways)
    halved = found.pop("bf16 autocast")
    assert max(found.values()) < gpu_options.advanced.TOLERANCE
    assert 1e-3 < halved < 0.1


@pytest.mark.parametrize("layer", ["neck", "roi_head.bbox_head.fc_reg", "roi_head.mask_iou_head"])
def test_a_way_that_computes_something_else_is_seen(ways, layer):
    module = ways["channels last"].detector.get_submodule(layer)
    weight = next(module.parameters())
    before = weight.detach().clone()
    try:
        weight.data *= 1.01
        assert gpu_options.differences(ways)["channels last"] > 1e-3
        weight.data[:] = float("nan")
        assert math.isnan(gpu_options.differences(ways)["channels last"])
    finally:
        weight.data.copy_(before)


def test_roi_align_gets_channels_first(ways):
    detector = ways["channels last"].detector
    extractor = detector.roi_head.bbox_roi_extractor
    kept = extractor._forward_pre_hooks.copy()
    extractor._forward_pre_hooks.clear()  # as it was: mmcv's own reads the wrong numbers without a word
    try:
        found = gpu_options.differences(ways)["channels last"]
        assert found > 0.1 if is_compiled() else found < 1e-5
    finally:
        extractor._forward_pre_hooks.update(kept)


@pytest.mark.parametrize(
    ("way", "found", "fine"),
    [
        ("channels last", 1e-5, True),
        ("channels last", 1e-3, False),
        ("channels last", math.nan, False),
        ("bf16 autocast", 1e-2, True),
        ("bf16 autocast", math.nan, False),
        ("bf16 autocast", math.inf, False),
    ],
)
def test_outputs_that_are_not_equal_are_refused(way, found, fine):
    if fine:
        gpu_options.require_equal({way: found})
    else:
        with pytest.raises(UserError, match=f"r3_advanced, {way}: outputs differ by"):
            gpu_options.require_equal({way: found})


def test_the_mask_iou_head_sees_final_detections_alone(ways):
    """So that no RoI of it is left to be saved."""
    way, rows = ways["direct"], []
    head = way.detector.roi_head
    hook = head.mask_iou_head.register_forward_hook(lambda *of: rows.append(len(of[2])))
    found = predict_batch(way.detector, way.batches[0], [1, 3])
    hook.remove()
    assert rows == [len(found[1][0]), len(found[3][0])]


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
