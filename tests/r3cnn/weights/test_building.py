"""From a config to a detector: registered, drawn from the seed, on the device asked for."""

import sys

import pytest
import torch
from torch import nn

from r3cnn.core.errors import UserError
from r3cnn.weights.building import build_detector
from tests.r3cnn import tiny


def test_a_users_own_modules_are_registered(tmp_path, monkeypatch):
    """Also for a config that was resolved in this process and never read from a file."""
    (tmp_path / "my_heads.py").write_text(
        "from mmdet.registry import MODELS\n"
        "from r3cnn.models import R3RoIHead\n\n\n"
        "@MODELS.register_module()\n"
        "class MyRoIHead(R3RoIHead):\n"
        "    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = tiny.config("r3_naive_inc", type="MyRoIHead")
    cfg.custom_imports.imports.append("my_heads")
    assert type(build_detector(cfg, "meta").roi_head).__name__ == "MyRoIHead"
    assert "my_heads" in sys.modules


def test_a_module_that_is_not_there_is_named():
    cfg = tiny.config("mask_1x")
    cfg.custom_imports.imports.append("my_missing_heads")
    with pytest.raises(
        UserError, match=r"custom_imports: Failed to import my_missing_heads; install"
    ):
        build_detector(cfg, "meta")


def test_a_config_stays_as_it_was():
    cfg = tiny.config("htc")
    before = cfg._cfg_dict.to_dict()
    build_detector(cfg, "meta")
    assert cfg._cfg_dict.to_dict() == before


def test_weights_are_drawn_from_the_seed():
    cfg = tiny.config("r3_advanced")
    torch.manual_seed(5)
    one = build_detector(cfg, "cpu", seed=0).state_dict()
    torch.manual_seed(6)
    same, other = (build_detector(cfg, "cpu", seed=seed).state_dict() for seed in (0, 1))
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    differing = {name for name, value in one.items() if not torch.equal(value, other[name])}
    assert "backbone.conv1.weight" in differing
    assert "roi_head.mask_iou_head.fc_mask_iou.weight" in differing


def names_of_modules(detector: nn.Module) -> set[str]:
    return {type(module).__name__ for module in detector.modules()}


def test_synchronised_statistics_have_no_form_on_a_cpu():
    cfg = tiny.config("r3l_gcnet", "paper")
    assert "SyncBatchNorm" in names_of_modules(build_detector(cfg, "meta"))
    detector = build_detector(tiny.config("r3l_gcnet"), "cpu")
    assert "SyncBatchNorm" not in names_of_modules(detector)
    norms = [one for one in detector.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    assert norms


def test_torchvisions_weights_without_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    cfg = tiny.config("mask_1x", "paper")
    with pytest.raises(UserError) as caught:
        build_detector(cfg, "cpu", seed=0)
    message = str(caught.value)
    assert "model.backbone.init_cfg: torchvision://resnet50 needs torchvision" in message
    assert "`--backbone FILE`" in message
    assert "\n" not in message
    build_detector(cfg, "meta")  # counting needs no weights


# ------------------------------------------------------------------------- backbone weights


@pytest.fixture(scope="module")
def backbone() -> dict[str, torch.Tensor]:
    """Weights of a ResNet-50 as torchvision names them, its classifier included."""
    cfg = tiny.config("mask_1x", "paper")
    cfg.model.backbone.init_cfg = None
    cfg.model.roi_head.bbox_head.fc_out_channels = 16
    state = build_detector(cfg, "cpu", seed=3).backbone.state_dict()
    return dict(state) | {"fc.weight": torch.zeros(2, 2), "fc.bias": torch.zeros(2)}


def with_backbone(weights, state=None, id_="mask_1x"):
    """A paper model whose backbone is to be read from a file that holds `state`, if anything."""
    if state is not None:
        torch.save(state, weights)
    cfg = tiny.config(id_, "paper")
    cfg.model.roi_head.bbox_head.fc_out_channels = 16  # quicker to draw
    cfg.model.backbone.init_cfg = {"type": "Pretrained", "checkpoint": str(weights)}
    return build_detector(cfg, "cpu", seed=0).backbone.state_dict()


@pytest.mark.parametrize("id_", ["gcnet", "dcn"])
def test_backbone_weights_are_read(backbone, tmp_path, id_):
    """Also where blocks have more than a plain ResNet-50, which is drawn then."""
    found = with_backbone(tmp_path / "backbone.pth", backbone, id_)
    assert all(torch.equal(found[name], backbone[name]) for name in backbone.keys() & found.keys())
    assert len(backbone.keys() & found.keys()) == len(backbone) - 2


def test_backbone_weights_that_are_gone(tmp_path):
    with pytest.raises(UserError, match=r"backbone\.pth: no such checkpoint"):
        with_backbone(tmp_path / "backbone.pth")


@pytest.mark.parametrize("fault", ["prefix", "shape", "empty"])
def test_weights_of_something_else_are_no_backbone(backbone, tmp_path, fault):
    """mmengine would train on, with a backbone at random."""
    state = {
        "prefix": {f"backbone.{name}": value for name, value in backbone.items()},
        "shape": backbone | {"layer4.2.conv3.weight": torch.zeros(1)},
        "empty": {},
    }[fault]
    name = {"prefix": "backbone.conv1.weight", "shape": "layer4.2.conv3.weight"}
    expected = rf"backbone\.pth: not the weights of this backbone \({name.get(fault, 'conv1.weight')} does not"
    with pytest.raises(UserError, match=expected):
        with_backbone(tmp_path / "backbone.pth", state)
