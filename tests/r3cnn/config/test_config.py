"""A catalogue entry and a scale make one complete config that says everything and loads again."""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from mmengine.config import Config

from r3cnn.catalogue.scales import load_scale
from r3cnn.cli.main import main
from r3cnn.config.load import load_config
from r3cnn.config.resolve import require_loops, resolve
from r3cnn.core.errors import UserError
from r3cnn.weights.building import build_detector
from tests.r3cnn import tiny

SCALES = ("paper", "smoke")
SMOKE = load_scale("smoke")
EVERY = list(itertools.product(tiny.IDS, SCALES))


@pytest.fixture(scope="module")
def resolved(shapes) -> dict[tuple[str, str], Config]:
    """All 17 trainings: at scale smoke on the small data set, at scale paper on COCO."""
    return {
        (id_, scale): small(id_, shapes) if scale == "smoke" else tiny.config(id_, "paper")
        for id_, scale in EVERY
    }


def leaves(node: object, path: tuple = ()):
    """All (path, value) of a nested config."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        if isinstance(value, dict | list | tuple):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def plain(cfg: Config) -> dict:
    return cfg._cfg_dict.to_dict()


def small(id_: str, data: dict | None = None, scale: str = "smoke", **changes: object) -> Config:
    return resolve(tiny.entry(id_, **changes), load_scale(scale), 0, data)


# ------------------------------------------------------------------------ all of them


@pytest.mark.parametrize(("id_", "scale"), EVERY)
def test_it_builds(resolved, id_, scale):
    detector = build_detector(resolved[id_, scale], "meta")
    assert all(p.is_meta for p in detector.parameters())


def reload_cases():
    """A config is written in a third of a second; what is much like another waits for the slow tests."""
    quick = {"mask_1x", "r3_naive_inc", "htc_gcnet", "r3l_groie", "r3l_dcn"}
    slow = [() if id_ in quick and scale == "smoke" else pytest.mark.slow for id_, scale in EVERY]
    return [pytest.param(*case, marks=marks) for case, marks in zip(EVERY, slow, strict=True)]


BRACES = (
    "{{ fileDirname }}",
    "{{fileBasename}}",
    "{{ _base_.model }}",
    "{{$HOME:x}}",
    "{{{ x }}}",
    "\\{{",
)


def test_names_in_double_braces_read_back_as_they_are(shapes, tmp_path):
    """mmengine fills in what it finds there, in the file that `resolve` writes."""
    data = tmp_path / "data.json"
    data.write_text(json.dumps(shapes | {"classes": BRACES}), encoding="utf-8")
    out = tmp_path / "config.py"
    words = ["resolve", "--training", "mask_1x", "--scale", "smoke", "--data", str(data)]
    done = CliRunner().invoke(main, [*words, "--out", str(out)])
    assert done.exit_code == 0, done.output
    for cfg in (load_config(out), Config.fromfile(out)):
        assert tuple(cfg.train_dataloader.dataset.metainfo.classes) == BRACES


@pytest.mark.parametrize(("id_", "scale"), reload_cases())
def test_it_loads_again_as_it_was(resolved, id_, scale, tmp_path):
    cfg = resolved[id_, scale]
    again = load_config(tiny.written(cfg, tmp_path))
    assert plain(again) == plain(cfg)
    types = {path: type(value) for path, value in leaves(plain(cfg))}
    assert {path: type(value) for path, value in leaves(plain(again))} == types


@pytest.mark.parametrize("id_", tiny.IDS)
def test_it_knows_the_data_everywhere(resolved, shapes, id_):
    cfg = resolved[id_, "smoke"]
    classes = [value for path, value in leaves(plain(cfg)["model"]) if path[-1] == "num_classes"]
    assert set(classes) == {6}
    assert len(classes) >= 2
    for loader, split in (("train", "train"), ("val", "val"), ("test", "val")):
        dataset = cfg[f"{loader}_dataloader"].dataset
        assert dataset.metainfo.classes == tuple(shapes["classes"])
        assert dataset.ann_file == f"{shapes['root']}/annotations/instances_{split}2017.json"
        assert dataset.data_prefix.img == f"{shapes['root']}/{split}2017/"
    assert cfg.val_evaluator.ann_file == cfg.test_evaluator.ann_file == dataset.ann_file
    texts = [value for _, value in leaves(plain(cfg)) if isinstance(value, str)]
    assert not [text for text in texts if "data/coco" in text]


@pytest.mark.parametrize(("id_", "scale"), EVERY)
def test_it_says_what_it_is(resolved, shapes, id_, scale):
    cfg, entry = resolved[id_, scale], tiny.entry(id_)
    facts = plain(cfg)["r3cnn"]
    loops = 3 if id_.startswith("htc") else entry.loops
    assert facts | {"data": None} == {
        "training": id_,
        "seed": 0,
        "scale": scale,
        "schedule": entry.schedule,
        "loops_trained": loops,
        "data": None,
        **({"validate_every": 1} if scale == "paper" else {}),
    }
    if scale == "smoke":
        assert facts["data"]["train_sha256"] == shapes["splits"]["train"]["sha256"]
        assert facts["data"]["classes"] == 6
    else:
        assert facts["data"] is None
    assert cfg.randomness == {"seed": 0}


@pytest.mark.parametrize(("id_", "scale"), EVERY)
def test_images_have_the_size_of_the_scale(resolved, id_, scale):
    cfg = resolved[id_, scale]
    for loader in ("train", "val", "test"):
        pipeline = cfg[f"{loader}_dataloader"].dataset.pipeline
        sizes = [(step.scale, step.keep_ratio) for step in pipeline if step.type == "Resize"]
        assert sizes == [((1333, 800) if scale == "paper" else SMOKE.images, True)]


@pytest.mark.parametrize(("id_", "scale"), [("r3_naive_inc", "smoke"), ("htc_gcnet", "paper")])
def test_a_config_is_the_same_text_every_time(resolved, shapes, id_, scale):
    """Also after others were resolved, and after a detector was built from it."""
    data = shapes if scale == "smoke" else None
    build_detector(resolved[id_, scale], "meta")
    assert small(id_, data, scale).pretty_text == resolved[id_, scale].pretty_text


def test_without_data_there_are_cocos_classes(resolved):
    cfg = resolved["r3_advanced", "paper"]
    classes = [value for path, value in leaves(plain(cfg)["model"]) if path[-1] == "num_classes"]
    assert classes == [80, 80, 80]
    assert cfg.train_dataloader.dataset.ann_file == "data/coco/annotations/instances_train2017.json"


def test_the_papers_models_take_other_data(shapes):
    cfg = small("htc", shapes, "paper")
    assert [head.num_classes for head in cfg.model.roi_head.bbox_head] == [6, 6, 6]
    assert cfg.train_dataloader.dataset.metainfo.classes == tuple(shapes["classes"])


@pytest.mark.parametrize("id_", tiny.IDS)
def test_one_rule_makes_every_network_small(resolved, id_):
    """Nothing of the paper's sizes is left, and nothing else was changed."""
    small, paper = (dict(leaves(plain(resolved[id_, s])["model"])) for s in ("smoke", "paper"))
    changed = {path for path in small | paper if small.get(path, "-") != paper.get(path, "-")}
    changed = {path for path in changed if path[-1] != "num_classes"}
    allowed = {
        *("type", "depth", "base_channels", "frozen_stages", "norm_eval", "init_cfg"),
        *("in_channels", "out_channels", "feat_channels", "conv_out_channels", "fc_out_channels"),
        *("stack_channels", "scales", "nms_pre", "max_per_img", "num", "checkpoint"),
    }
    for path in changed:
        names = [key for key in path if isinstance(key, str)]
        assert names[-1] in allowed, path
        assert names[-1] != "type" or names[0] == "backbone", path
        assert names[-1] != "num" or names[-2] == "sampler", path
    assert small[("backbone", "type")] == "ResNet14"
    size = SMOKE.network
    assert small[("neck", "in_channels", 3)] == size["base_channels"] * 4 * 8
    assert small[("neck", "out_channels")] == size["channels"] < 256
    assert small[("test_cfg", "rcnn", "max_per_img")] == size["detections"]
    assert small[("test_cfg", "rpn", "max_per_img")] == size["proposals"]
    samplers = [value for path, value in small.items() if path[-2:] == ("sampler", "num")]
    assert sorted(samplers) == [size["rois"]] * (len(samplers) - 1) + [256]  # the RPN's own stays
    heads = [v for path, v in small.items() if path[0] in ("rpn_head", "roi_head")]
    assert 256 not in heads
    assert 1024 not in heads


def test_a_training_with_more_proposals_keeps_more():
    """HTC and R3 train on 2000 proposals where Mask R-CNN takes 1000, at every scale."""
    kept = SMOKE.network["proposals"]
    assert tiny.config("mask_1x").model.train_cfg.rpn_proposal.max_per_img == kept
    assert tiny.config("r3_naive_inc").model.train_cfg.rpn_proposal.max_per_img == 2 * kept


# ------------------------------------------------------------------------------ schedule


@pytest.mark.parametrize(
    ("id_", "epochs", "drops"), [("mask_1x", 12, [8, 11]), ("mask_3x", 36, [28, 34])]
)
def test_the_papers_schedule(resolved, id_, epochs, drops):
    cfg = resolved[id_, "paper"]
    warmup, steps = cfg.param_scheduler
    assert cfg.train_cfg.max_epochs == epochs
    assert (warmup.type, warmup.start_factor, warmup.end) == ("LinearLR", 0.001, 500)
    assert (steps.type, steps.milestones, steps.gamma) == ("MultiStepLR", drops, 0.1)
    assert plain(cfg)["optim_wrapper"]["optimizer"] == {
        "type": "SGD",
        "lr": 0.02,
        "momentum": 0.9,
        "weight_decay": 0.0001,
    }
    assert (cfg.auto_scale_lr.base_batch_size, cfg.train_dataloader.batch_size) == (16, 2)


# ------------------------------------------------------------------------- backbone weights


def test_backbone_weights(tmp_path):
    entry, paper, smoke = tiny.entry("r3_naive_inc"), load_scale("paper"), load_scale("smoke")
    usual = tiny.config("r3_naive_inc", "paper").model.backbone.init_cfg
    assert usual == {"type": "Pretrained", "checkpoint": "torchvision://resnet50"}
    assert resolve(entry, paper, 0, backbone="random").model.backbone.init_cfg is None
    assert tiny.config("r3_naive_inc").model.backbone.init_cfg is None
    file = tmp_path / "backbone.pth"
    with pytest.raises(UserError, match=f"--backbone {file}: no such file; expected ResNet-50"):
        resolve(entry, paper, 0, backbone=str(file))
    file.touch()
    chosen = resolve(entry, paper, 0, backbone=str(file)).model.backbone.init_cfg
    assert chosen == {"type": "Pretrained", "checkpoint": str(file)}
    with pytest.raises(UserError, match=r"the small backbone of scale smoke fits no file"):
        resolve(entry, smoke, 0, backbone=str(file))


# ----------------------------------------------------------------------- user's mistakes


@pytest.mark.parametrize("id_", ["mask_1x", "htc"])
def test_iou_on_a_model_that_does_not_loop(id_):
    model = tiny.entry(id_).model
    expected = rf"paper\.yaml: {id_}: iou: the model '{model}' does not loop; remove `iou`"
    with pytest.raises(UserError, match=expected):
        small(id_, iou=(0.5, 0.6))


def test_a_model_that_loops_without_iou():
    """Its L_e would be 1 beside an L_t of the model file's."""
    with pytest.raises(
        UserError, match=r"paper\.yaml: r3_1loop: iou: missing; the model 'r3_naive' loops"
    ):
        small("r3_1loop", iou=())


def test_more_loops_than_weights():
    with pytest.raises(
        UserError, match=r"r3_1loop: iou: 5 loops, but only 4 loop weights; give one"
    ):
        small("r3_1loop", iou=(0.5,) * 5)
    weights = {"model.roi_head.loop_weights": [1, 1, 1, 1, 1]}
    assert small("r3_1loop", iou=(0.5,) * 5, options=weights).r3cnn.loops_trained == 5


@pytest.mark.parametrize(("id_", "own"), [("mask_1x", 1), ("htc", 3)])
def test_evaluation_loops_of_a_model_that_does_not_loop(id_, own):
    cfg = tiny.config(id_)
    require_loops(cfg, tiny.entry(id_), [own], None)
    expected = rf"mine\.yaml: evaluations: {id_}: loops: found \[2\]; .* always runs {own}"
    with pytest.raises(UserError, match=expected):
        require_loops(cfg, tiny.entry(id_), [2], Path("mine.yaml"))
    require_loops(tiny.config("r3_naive_inc"), tiny.entry("r3_naive_inc"), [1, 7], None)


@pytest.mark.parametrize("path", ["nowhere.json", "nowhere.py"])
def test_a_missing_config_file(tmp_path, path):
    with pytest.raises(UserError, match=rf"{path}: no such config file; make one with"):
        load_config(tmp_path / path)


def test_a_broken_config_file(tmp_path):
    (tmp_path / "c.py").write_text("model = dict(\n")
    with pytest.raises(UserError, match=r"c\.py: SyntaxError: .*line 1.*; resolve it again"):
        load_config(tmp_path / "c.py")


def test_options_are_set_before_the_scale_and_kept(shapes):
    key = "model.roi_head.mask_flow_in_training"
    assert small("r3_naive_inc", options={key: True}).model.roi_head.mask_flow_in_training is True
    with pytest.raises(
        UserError, match=r"options: model\.roi_head\.flow: the config has no 'flow'"
    ):
        small("r3_naive_inc", options={"model.roi_head.flow": True})
    rate = re.escape(str(load_scale("smoke").lr))
    with pytest.raises(
        UserError, match=rf"optimizer\.lr: found 0\.5, but the scale sets it to {rate};"
    ):
        small("r3_naive_inc", options={"optim_wrapper.optimizer.lr": 0.5})


def test_a_shipped_training_resolves_without_the_slow_import_of_torch_and_mmdet():
    """17 jobs of a run resolve one each."""
    code = (
        "import sys; from r3cnn.catalogue.scales import load_scale; "
        "from r3cnn.catalogue.trainings import load_catalogue; "
        "from r3cnn.config.resolve import resolve; "
        "[resolve(t, load_scale('smoke'), 0) for t in load_catalogue().trainings.values()]; "
        "sys.exit(', '.join({'torch', 'mmdet', 'mmcv'} & {*sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
