"""An option changes its key of the config and nothing else; one without effect is refused."""

import pytest

from r3cnn.catalogue.trainings import Training
from r3cnn.config.options import require_kept, set_options
from r3cnn.config.signatures import require_taken
from r3cnn.core.errors import UserError
from tests.r3cnn import tiny


def with_option(key: str, value: object) -> Training:
    return tiny.entry("r3_naive_inc", options={key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.roi_head.mask_flow_in_training", True),
        ("model.roi_head.loop_weights", [1.0, 0.5, 0.25]),
        ("model.test_cfg.rcnn.score_thr", 0.05),
        ("model.backbone.with_cp", True),
        ("model.train_cfg.rcnn.assigner.gpu_assign_thr", 100),
        ("optim_wrapper.clip_grad", {"max_norm": 35}),
        ("optim_wrapper.optimizer.nesterov", True),
        ("optim_wrapper.paramwise_cfg", {"bias_lr_mult": 2.0}),
        ("train_dataloader.dataset.filter_cfg.filter_empty_gt", False),
    ],
)
def test_an_option_changes_its_key_and_nothing_else(key, value):
    usual, cfg = tiny.config("r3_naive_inc"), tiny.config("r3_naive_inc")
    set_options(cfg, with_option(key, value))
    require_kept(cfg, with_option(key, value))
    node = expected = usual._cfg_dict.to_dict()
    *parents, name = key.split(".")
    for part in parents:
        node = node[part]
    node[name] = value
    assert cfg._cfg_dict.to_dict() == expected != usual._cfg_dict.to_dict()


@pytest.mark.parametrize(
    ("key", "part", "meant"),
    [
        ("model.roi_head.mask_flow_in_trainin", "mask_flow_in_trainin", "mask_flow_in_training"),
        ("model.roi_hed.loops", "roi_hed", "roi_head"),
        ("modell", "modell", "model"),
        ("optim_wrapper.optimizer.momentun", "momentun", "momentum"),
        ("model.test_cfg.rcnn.score_thresh", "score_thresh", "score_thr"),
        ("", "", None),
    ],
)
def test_an_unknown_option_is_named(key, part, meant):
    with pytest.raises(UserError) as caught:
        set_options(tiny.config("r3_naive_inc"), with_option(key, 1))
    message = str(caught.value)
    start = f"experiments/paper.yaml: r3_naive_inc: options: {key}: the config has no {part!r}; "
    assert message.startswith(start)
    assert message.endswith(f"(did you mean {meant}?)") or meant is None
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optim_wrapper.optimizer.lr", 0.5),
        ("train_cfg.max_epochs", 99),
        ("train_dataloader.batch_size", 99),
    ],
)
def test_an_option_that_the_scale_overwrites_is_refused(key, value):
    found = cfg = tiny.config("r3_naive_inc")
    for part in key.split("."):
        found = found[part]
    expected = rf"options: {key}: found {value}, but the scale sets it to {found}; remove it"
    with pytest.raises(UserError, match=expected):
        require_kept(cfg, with_option(key, value))


def test_an_option_of_the_network_may_be_made_smaller():
    """The scale's rule for networks goes over what the option asks for."""
    require_kept(tiny.config("r3_naive_inc"), with_option("model.neck.out_channels", 512))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("model.roi_head.loop_weights", 1, "found 1, a number; expected a list of numbers, as the"),
        ("model.roi_head.loop_weights", ["a"], "a list of texts; expected a list of numbers"),
        ("model.roi_head.loop_weights", {"a": 1}, "a mapping; expected a list of numbers"),
        ("model.neck", 5, "found 5, a number; expected a mapping"),
        ("model.neck", {}, "type: missing; expected a class, as the FPN of the model"),
        ("model.test_cfg.rcnn.score_thr", "high", "found 'high', a text; expected a number"),
        (
            "model.roi_head.mask_head.type",
            "R3MaskHed",
            "no class 'R3MaskHed' is registered (did you mean",
        ),
        (
            "model.roi_head.mask_head.type",
            "Qqqq",
            "is registered; name one of mmdet's, or of your",
        ),
        ("model.roi_head.mask_head.type", 5, "no class 5 is registered"),
        ("model.neck", {"type": "FPM"}, "type: no class 'FPM' is registered (did you mean "),
        ("train_cfg.type", "Nonsense", "no class 'Nonsense' is registered"),
        (
            "val_evaluator.type",
            "CocoMetrik",
            "no class 'CocoMetrik' is registered (did you mean Coco",
        ),
        (
            "model.roi_head.loop_weights",
            [[1, 1], [1]],
            "a list of lists; expected a list of numbers",
        ),
        ("model.backbone.norm_eval", 1, "a number; expected a boolean"),
    ],
)
def test_a_value_of_another_kind_is_refused(key, value, expected):
    with pytest.raises(UserError) as caught:
        set_options(tiny.config("r3_naive_inc"), with_option(key, value))
    message = str(caught.value)
    assert message.startswith(f"experiments/paper.yaml: r3_naive_inc: options: {key}: ")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.test_cfg.rcnn.score_thr", 1),
        ("model.neck.init_cfg", None),
        ("model.roi_head.loop_weights", [1, 1, 1]),
        ("model.roi_head.loop_weights", []),
        ("model.roi_head.mask_head.type", "FCNMaskHead"),
        ("model.roi_head.bbox_roi_extractor.roi_layer.output_size", [7, 7]),
        ("model.train_cfg.rcnn.mask_size", [28, 28]),
        ("model.backbone.init_cfg", [{"type": "Kaiming", "layer": "Conv2d"}]),
        ("val_evaluator.metric", "bbox"),
        ("model.data_preprocessor.mean", (0, 0, 0)),
    ],
)
def test_a_value_of_the_same_kind_will_do(key, value):
    cfg = tiny.config("r3_naive_inc")
    set_options(cfg, with_option(key, value))


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("model.roi_head.bbox_head.num_classes", "a list of mappings"),
        ("model.roi_head.bbox_head.a.b", "a list of mappings"),
        ("model.roi_head.mask_roi_extractor.type.x", "a text"),
    ],
)
def test_a_key_inside_no_mapping_is_refused(key, kind):
    with pytest.raises(UserError, match=f"is inside {kind}, expected a mapping there; set the"):
        set_options(tiny.config("htc"), with_option(key, 3))


def test_an_empty_list_of_the_model_may_be_filled():
    cfg = tiny.config("r3_naive_inc")
    cfg.custom_hooks = []
    hooks = [{"type": "EmptyCacheHook"}]
    set_options(cfg, with_option("custom_hooks", hooks))
    assert cfg.custom_hooks == hooks


@pytest.mark.parametrize("turned", [False, True])
def test_a_whole_mapping_is_set_before_keys_inside_it(turned):
    options = {"model.neck": {**tiny.config("r3_naive_inc").model.neck}, "model.neck.type": "PAFPN"}
    cfg = tiny.config("r3_naive_inc")
    options = dict(reversed(options.items())) if turned else options
    set_options(cfg, tiny.entry("r3_naive_inc", options=options))
    assert cfg.model.neck.type == "PAFPN"


def test_a_class_is_set_before_its_arguments():
    options = {"model.neck.rfp_steps": 2, "model.neck.type": "NoNeck"}
    with pytest.raises(UserError, match=r"options: model\.neck\.type: no class 'NoNeck'"):
        set_options(tiny.config("r3_naive_inc"), tiny.entry("r3_naive_inc", options=options))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("optim_wrapper.optimizer.dampening", "1e-2", "expected a number, as SGD takes"),
        ("optim_wrapper.optimizer.nesterov", "true", "expected a boolean, as SGD takes"),
        ("optim_wrapper.optimizer.nesterov", 1, "expected a boolean, as SGD takes"),
        ("model.backbone.with_cp", "no", "expected a boolean, as ResNet"),
        ("model.neck.start_level", True, "expected a number, as FPN takes"),
        ("model.backbone.stem_channels", "64", "found '64', a text; write 64 without quotes"),
        ("optim_wrapper.clip_grad", {"max_norm": "35"}, "max_norm: found '35', a text; write 35"),
        ("optim_wrapper.paramwise_cfg", {"bypass_duplicate": "Yes"}, "write true without quotes"),
    ],
)
def test_a_new_argument_of_another_kind_than_the_class_takes_is_refused(key, value, expected):
    with pytest.raises(UserError) as caught:
        set_options(tiny.config("r3_naive_inc"), with_option(key, value))
    assert str(caught.value).startswith(f"experiments/paper.yaml: r3_naive_inc: options: {key}")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.neck.add_extra_convs", "on_input"),
        ("model.neck.add_extra_convs", True),
        ("optim_wrapper.optimizer.foreach", False),
        ("optim_wrapper.optimizer.foreach", None),
        ("optim_wrapper.optimizer.dampening", 0),
    ],
)
def test_a_new_argument_of_a_kind_that_the_class_takes_will_do(key, value):
    set_options(tiny.config("r3_naive_inc"), with_option(key, value))


@pytest.mark.parametrize(
    ("key", "value", "name", "meant"),
    [
        ("optim_wrapper.clip_grad", {"max_nrom": 35}, "max_nrom", "max_norm"),
        ("optim_wrapper.paramwise_cfg", {"bias_lr_mul": 2}, "bias_lr_mul", "bias_lr_mult"),
        (
            "model.neck",
            {"type": "FPN", "in_channels": [64, 128, 256, 512], "out_channel": 256},
            "out_channel",
            "out_channels",
        ),
        (
            "model.roi_head.bbox_roi_extractor",
            {"type": "GenericRoIExtractor", "agregation": "sum"},
            "agregation",
            "aggregation",
        ),
    ],
)
def test_a_misspelt_key_inside_a_value_is_named(key, value, name, meant):
    cfg = tiny.config("r3_naive_inc")
    set_options(cfg, with_option(key, value))
    with pytest.raises(UserError) as caught:
        require_taken(cfg, "own.yaml: mine")
    assert str(caught.value).startswith(f"own.yaml: mine: {key}.{name}: ")
    assert str(caught.value).endswith(f"(did you mean {meant}?)")


@pytest.mark.parametrize("id_", ["r3l_dcn", "r3l_groie", "htc_gcnet"])
def test_the_paper_s_own_configs_are_taken(id_):
    require_taken(tiny.config(id_), "paper.yaml")
