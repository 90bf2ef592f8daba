"""Small networks begin with the weights that their scale names; RoI heads and extensions are drawn."""

import dataclasses
import logging
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from r3cnn.catalogue.scales import Pretrained, Scale, load_scale
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.core.files import sha256_of
from r3cnn.weights import checkpoint
from r3cnn.weights.building import build_detector
from tests.r3cnn import tiny

PARTS = ("backbone.", "neck.", "rpn_head.")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Backbone, neck and RPN of the smallest model, every number of them drawn, float16."""
    generator = torch.Generator().manual_seed(1)
    state = build_detector(tiny.config("mask_1x"), "cpu").state_dict()
    return {
        name: torch.rand(value.shape, generator=generator).half()
        for name, value in state.items()
        if name.startswith(PARTS) and value.is_floating_point()
    }


@pytest.fixture(scope="module")
def scale(weights: dict, tmp_path_factory: pytest.TempPathFactory) -> Scale:
    file = tmp_path_factory.mktemp("weights") / "shapes.pth"
    checkpoint.save(file, weights)
    return dataclasses.replace(load_scale("smoke"), pretrained=Pretrained(file, sha256_of(file)))


def config(id_: str, scale: Scale, backbone: str | None = None) -> Config:
    return resolve(tiny.entry(id_), scale, 0, None, backbone)


@pytest.mark.parametrize("id_", tiny.IDS)
def test_every_model_begins_with_the_same_backbone_neck_and_rpn(id_, scale, weights):
    state = build_detector(config(id_, scale), "cpu", seed=0).state_dict()
    assert all(torch.equal(state[name], value.float()) for name, value in weights.items())
    added = {n for n in state if n.startswith(PARTS) and not n.endswith("_tracked")} - set(weights)
    kinds = {"dcn": ("conv_offset",), "gcnet": ("context_block",)}
    ours = tuple(
        kind for name, of in kinds.items() if name in tiny.entry(id_).mixins for kind in of
    )
    assert bool(added) == bool(ours)
    assert all(any(kind in name for kind in ours) for name in added)
    offsets = [name for name in state if "conv_offset" in name]
    assert not any(state[name].any() for name in offsets)  # a plain convolution at first


def test_roi_heads_are_drawn_from_the_seed(scale):
    cfg = config("htc", scale)
    one, same, other = (build_detector(cfg, "cpu", seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    differing = {name for name in one if not torch.equal(one[name], other[name])}
    assert "roi_head.bbox_head.0.fc_cls.weight" in differing
    assert all(name.startswith("roi_head.") for name in differing)


@pytest.mark.parametrize(("id_", "trains"), [("mask_1x", False), ("htc_gcnet", True)])
def test_first_stage_and_statistics_are_fixed_as_in_the_paper(id_, trains, scale):
    """But for the rows whose statistics train in the paper, too."""
    backbone = build_detector(config(id_, scale), "cpu", seed=0).train().backbone
    assert not backbone.conv1.weight.requires_grad
    assert not any(weight.requires_grad for weight in backbone.layer1.parameters())
    assert backbone.layer2[0].conv1.weight.requires_grad
    assert backbone.layer2[0].bn1.training is trains


@pytest.mark.parametrize("without", ["no key", "random"])
def test_from_scratch_everything_trains(without, scale):
    cfg = config("mask_1x", *((load_scale("smoke"),) if without == "no key" else (scale, "random")))
    backbone = build_detector(cfg, "cpu", seed=0).train().backbone
    assert "pretrained" not in cfg.r3cnn
    assert [cfg.model[part].get("init_cfg") for part in ("backbone", "neck")] == [None, None]
    assert backbone.conv1.weight.requires_grad
    assert backbone.bn1.training


def test_mmdets_own_tools_load_the_same(scale):
    """An exported config needs nothing of this project to load them."""
    from mmdet.registry import MODELS

    cfg = config("dcn", scale)
    own = build_detector(cfg, "cpu", seed=0).state_dict()
    plain = MODELS.build(cfg.model)
    plain.init_weights()
    assert all(
        torch.equal(own[name], value)
        for name, value in plain.state_dict().items()
        if name.startswith(PARTS)
    )


def test_the_log_says_what_is_drawn(scale, caplog):
    caplog.set_level(logging.INFO)
    build_detector(config("gcnet", scale), "cpu", seed=0)
    (line,) = [r.getMessage() for r in caplog.records if "from scratch" in r.getMessage()]
    assert str(scale.pretrained.file) in line
    assert "context_block" in line


def test_a_detector_for_trained_weights_needs_no_file(scale, tmp_path):
    gone = dataclasses.replace(scale, pretrained=Pretrained(tmp_path / "gone.pth", "0" * 64))
    build_detector(config("mask_1x", gone), "cpu")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("missing", "no such file"),
        ("another", "expected " + "0" * 64),
        ("of another network", "neck.fpn_convs.0.conv.weight does not fit"),
        ("with a RoI head", "roi_head.x does not fit"),
        ("empty", "no tensor does not fit"),
    ],
)
def test_weights_that_are_not_right_are_refused_in_one_line(fault, words, scale, weights, tmp_path):
    content = {
        "of another network": {**weights, "neck.fpn_convs.0.conv.weight": torch.zeros(3)},
        "with a RoI head": {**weights, "roi_head.x": torch.zeros(3)},
        "empty": {},
    }.get(fault, weights)
    file: Path = tmp_path / "given.pth"
    if fault != "missing":
        checkpoint.save(file, content)
    sha256 = "0" * 64 if fault in ("missing", "another") else sha256_of(file)
    cfg = config("mask_1x", dataclasses.replace(scale, pretrained=Pretrained(file, sha256)))
    with pytest.raises(UserError) as caught:
        build_detector(cfg, "cpu", seed=0)
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
