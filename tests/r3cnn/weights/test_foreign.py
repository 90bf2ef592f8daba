"""Checkpoints as other tools write them: recognised, or refused with what they are."""

import hashlib
import pickle

import numpy as np
import pytest
import torch

from r3cnn.core.errors import UserError
from r3cnn.weights import checkpoint, foreign
from r3cnn.weights.convert import convert
from r3cnn.weights.loading import load_detector
from tests.r3cnn import tiny

NAMES = ("backbone.conv1.weight", "roi_head.bbox_head.fc_cls.weight")
PREPROCESSOR = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}


def weights(prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + name: torch.full((2,), float(i)) for i, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    "content",
    [
        weights(),
        {"state_dict": weights(), "meta": {}},
        {"model": weights(), "optimizer": {}, "iteration": 5},
        {"model_state_dict": weights("module."), "epoch": 3},
        {"state_dict": weights("module._orig_mod.")},
        {"state_dict": weights("model.")},
        {"ema_state_dict": {"steps": torch.tensor(5), **weights("module.")}},
        {"state_dict": {**weights(), "ema_backbone_conv1_weight": torch.ones(2)}},
        {"state_dict": {**weights("module."), "n_averaged": torch.tensor(1)}},
    ],
)
def test_the_weights_are_found_under_mmdets_names(content):
    found = foreign.tensors_of("zoo.pth", content)
    assert {name: value.tolist() for name, value in found.items()} == {
        NAMES[0]: [0.0, 0.0],
        NAMES[1]: [1.0, 1.0],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"state_dict": weights("module.")}, "'module.' taken off the names of 2 tensors"),
        (
            {"state_dict": {**weights(), "ema_x": torch.ones(1)}},
            "1 averaged or counted tensors left",
        ),
        ({"state_dict": weights(), "ema_state_dict": weights("module.")}, "holds weights twice"),
    ],
)
def test_what_is_taken_off_is_said(content, said, caplog):
    foreign.tensors_of("zoo.pth", content)
    assert f"zoo.pth: {said}" in caplog.text
    caplog.clear()
    foreign.tensors_of("zoo.pth", {"state_dict": weights(), "optimizer": {}})
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("backbone.bottom_up.res2.0.conv1.weight", "Detectron2's"),
        ("module.proposal_generator.rpn_head.conv.weight", "Detectron2's"),
        ("backbone.body.conv1.weight", "torchvision's"),
        ("bbox_head.fc_cls.weight", "mmdet 1's"),
    ],
)
def test_names_of_another_library_are_said(name, whose):
    with pytest.raises(
        UserError, match=f"zoo.pth: .*: weights under {whose} names, expected mmdet's"
    ):
        foreign.tensors_of("zoo.pth", {"model": {name: torch.zeros(1)}})


def test_a_detectron2_pickle_is_recognised(tmp_path):
    zoo = tmp_path / "model_final.pkl"
    content = {"model": {"backbone.bottom_up.stem.conv1.weight": np.zeros(3)}, "__author__": "zoo"}
    zoo.write_bytes(pickle.dumps(content))
    digest = hashlib.sha256(zoo.read_bytes()).hexdigest()
    with pytest.raises(
        UserError, match=r"model_final.pkl: backbone.bottom_up.* Detectron2's names"
    ):
        convert(zoo, tmp_path / "out.pth", trust=True, sha256=digest)
    assert not (tmp_path / "out.pth").exists()


@pytest.mark.parametrize("protocol", [2, 4])
def test_torch_s_old_format_is_still_read(tmp_path, protocol):
    zoo = tmp_path / "old.pth"
    torch.save(weights(), zoo, _use_new_zipfile_serialization=False, pickle_protocol=protocol)
    digest = hashlib.sha256(zoo.read_bytes()).hexdigest()
    convert(zoo, tmp_path / "out.pth", trust=True, sha256=digest)
    assert set(checkpoint.load(tmp_path / "out.pth")["state_dict"]) == set(NAMES)


def test_the_statistics_of_the_pictures_are_left_out_where_they_are_the_configs(caplog):
    statistics = {
        f"data_preprocessor.{key}": torch.tensor(value).view(3, 1, 1)
        for key, value in PREPROCESSOR.items()
    }
    found = foreign.without_statistics("zoo.pth", {**weights(), **statistics}, PREPROCESSOR)
    assert set(found) == set(NAMES)
    assert "data_preprocessor.mean left out" in caplog.text
    other = {**PREPROCESSOR, "std": [1.0, 1.0, 1.0]}
    with pytest.raises(
        UserError, match=r"zoo.pth: data_preprocessor.std: found \[58.395.* is \[1.0"
    ):
        foreign.without_statistics("zoo.pth", {**weights(), **statistics}, other)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(value):
    bad = {**weights(), "roi_head.x": torch.tensor([0.0, value]), "counter": torch.tensor(3)}
    with pytest.raises(UserError, match=r"zoo.pth: roi_head.x: not finite"):
        foreign.require_finite("zoo.pth", bad)
    foreign.require_finite("zoo.pth", weights())


@pytest.mark.parametrize(
    ("meta", "theirs"),
    [
        ({"dataset_meta": {"classes": ("washer", "nut", "bolt")}}, ("washer", "nut", "bolt")),
        ({"dataset_meta": {"CLASSES": ["washer"]}}, ("washer",)),
        ({"CLASSES": ("washer", "nut")}, ("washer", "nut")),
        ({"CLASSES": "washer"}, ("washer",)),
        ({"epoch": 12}, None),
    ],
)
def test_the_classes_of_a_checkpoint(meta, theirs):
    assert foreign.classes_in({"meta": meta, "state_dict": {}}) == theirs


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (
            ("washer", "nut", "bolt"),
            "another order: label 0 means 'washer' there and 'bolt' in the data",
        ),
        (("bolt", "nut", "screw"), "other classes: label 2 means 'screw' there and 'washer'"),
        (("bolt", "nut"), "other classes: 2 classes found, the data has 3"),
    ],
)
def test_other_classes_are_refused(theirs, said):
    content = {"meta": {"dataset_meta": {"classes": theirs}}}
    with pytest.raises(UserError, match=f"zoo.pth: .*{said}"):
        foreign.require_classes("zoo.pth", content, lambda: ("bolt", "nut", "washer"))
    foreign.require_classes("zoo.pth", content, lambda: theirs)
    foreign.require_classes("zoo.pth", {}, lambda: ("bolt",))


def test_a_converted_checkpoint_keeps_its_classes_and_predict_compares_them(tmp_path):
    """What stands in meta must survive the conversion, or nothing is left to compare."""
    cfg = tiny.config("mask_1x")
    own = tiny.build_detector(cfg, "cpu", seed=0).state_dict()
    content = {"state_dict": own, "meta": {"dataset_meta": {"classes": ("a", "b")}}}
    torch.save(content, tmp_path / "zoo.pth")
    digest = hashlib.sha256((tmp_path / "zoo.pth").read_bytes()).hexdigest()
    convert(tmp_path / "zoo.pth", tmp_path / "out.pth", trust=True, sha256=digest)
    with pytest.raises(UserError, match=r"out.pth: other classes: label 0 means 'a' .* 'person'"):
        load_detector(cfg, tmp_path / "out.pth")
    own["roi_head.bbox_head.fc_cls.bias"][1] = float("nan")
    checkpoint.save(tmp_path / "nan.pth", {"state_dict": own})
    with pytest.raises(UserError, match=r"nan.pth: roi_head.bbox_head.fc_cls.bias: not finite"):
        load_detector(cfg, tmp_path / "nan.pth")


def test_a_backbone_of_nan_is_refused(tmp_path):
    cfg = tiny.config("mask_1x", "paper")
    checkpoint.save(tmp_path / "backbone.pth", {"conv1.weight": torch.full((1,), float("nan"))})
    cfg.model.backbone.init_cfg = {
        "type": "Pretrained",
        "checkpoint": str(tmp_path / "backbone.pth"),
    }
    with pytest.raises(UserError, match=r"backbone.pth: conv1.weight: not finite"):
        tiny.build_detector(cfg, "cpu", seed=0)
