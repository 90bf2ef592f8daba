"""Under bfloat16 autocast all models train and predict; mmcv's operators stay in float32."""

import copy

import pytest
import torch
from mmcv.ops import DeformConv2d, RoIAlign
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor
from torch import nn

from r3cnn.models.precision import PREDICTORS, keep_float32
from r3cnn.weights.building import build_detector
from tests.r3cnn import tiny

MODELS = ("mask_1x", "htc", "r3_naive_inc", "r3l_dcn", "r3l_groie", "r3l_gcnet")


def dtypes_of(detector, kinds) -> set[torch.dtype]:
    """Fills while the detector runs: dtypes of all tensors that modules of these kinds are given."""
    seen = set()

    def note(_, args):
        for arg in args:
            for one in arg if isinstance(arg, list | tuple) else [arg]:
                if isinstance(one, torch.Tensor):
                    seen.add(one.dtype)

    for module in detector.modules():
        if isinstance(module, kinds):
            module.register_forward_pre_hook(note)
    return seen


@pytest.mark.parametrize("id_", MODELS)
def test_training_and_prediction_run_in_bfloat16(id_):
    detector, pictures = tiny.detector(id_), tiny.several()
    operators = dtypes_of(detector, (RoIAlign,))
    convolutions = []
    detector.neck.fpn_convs[0].register_forward_hook(lambda _, __, y: convolutions.append(y.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        data = detector.train().data_preprocessor(tiny.batch(pictures), True)
        loss, _ = detector.parse_losses(detector(**data, mode="loss"))
        found = tiny.detections(detector, pictures, None)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert all(p.grad.dtype == torch.float32 for p in detector.parameters() if p.requires_grad)
    assert operators == {torch.float32}
    assert set(convolutions) == {torch.bfloat16}  # the rest does run in bfloat16
    for one in found:
        assert one.bboxes.dtype == one.scores.dtype == torch.float32


def test_losses_in_bfloat16_are_near_those_in_float32():
    detector, pictures = tiny.detector("r3_advanced"), tiny.several()
    exact = tiny.losses(detector, pictures)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = tiny.losses(detector, pictures)
    for name in ("s0.loss_cls", "s0.loss_bbox", "s0.loss_mask"):
        torch.testing.assert_close(coarse[name], exact[name], rtol=0.1, atol=0.05)
    assert not torch.equal(coarse["s0.loss_cls"], exact["s0.loss_cls"])


@pytest.mark.parametrize("id_", ["r3l_dcn", "r3l_groie"])
def test_operators_and_last_layers_compute_what_they_do_without_autocast(id_):
    detector = tiny.detector(id_)
    kept = {
        name: module
        for name, module in detector.named_modules()
        if isinstance(module, BaseRoIExtractor | DeformConv2d)
        or name.rpartition(".")[2] in PREDICTORS
    }
    assert len(kept) >= 8
    calls = {}
    for name, module in kept.items():
        module.register_forward_hook(
            lambda _, args, out, name=name: calls.update({name: (args, out)})
        )
    with torch.autocast("cpu", torch.bfloat16):
        tiny.losses(detector, tiny.several())
        detector.rpn_head(tiny.prepared(detector, tiny.several())[0])
    assert calls.keys() == kept.keys()
    for name, (args, out) in calls.items():
        wide = [
            tuple(one.float() for one in arg) if isinstance(arg, tuple) else arg.float()
            for arg in args
        ]
        assert out.dtype == torch.float32, name
        assert torch.equal(out, kept[name](*wide)), name


def test_coordinates_above_256_keep_their_pixels():
    """bfloat16 knows no odd number above 256, and a RoI extractor casts boxes to its features' type."""
    extractor = tiny.detector("mask_1x").roi_head.bbox_roi_extractor
    extractor.out_channels = 4
    levels = [torch.rand(1, 4, 256 // 2**i, 256 // 2**i).bfloat16() for i in range(4)]
    rois = torch.tensor([[0, 901.0, 403.0, 957.0, 459.0]])
    with torch.autocast("cpu", torch.bfloat16):
        found = extractor(levels, rois)
    wide = [level.float() for level in levels]
    assert torch.equal(found, extractor(wide, rois))
    assert not torch.equal(found, extractor(wide, rois.bfloat16().float()))


def test_a_copy_of_a_detector_runs_its_own_weights():
    detector = keep_float32(nn.ModuleDict({"fc_cls": nn.Linear(4, 2)}))
    other = copy.deepcopy(detector)
    with torch.no_grad():
        other["fc_cls"].weight.zero_()
        other["fc_cls"].bias.zero_()
    x = torch.ones(1, 4)
    assert other["fc_cls"](x).abs().max() == 0
    assert detector["fc_cls"](x).abs().max() > 0


def test_names_and_weights_stay():
    cfg = tiny.config("r3l_dcn")
    names = set(build_detector(cfg, "meta").state_dict())
    assert "roi_head.bbox_head.fc_cls.weight" in names
    assert not [name for name in names if "forward" in name]


def test_a_device_without_autocast_is_none_of_its_business():
    layer = keep_float32(nn.ModuleDict({"fc_cls": nn.Linear(4, 2, device="meta")}))["fc_cls"]
    assert tuple(layer(torch.ones(3, 4, device="meta")).shape) == (3, 2)
