"""Every resolved config of scale `paper` against a table of what the paper and its authors' code state."""

import pytest

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.config.resolve import resolve

CATALOGUE = load_catalogue()
MASK = {"mask_1x", "mask_3x", "groie", "gcnet", "dcn"}
HTC = {"htc", "htc_gcnet", "htc_dcn"}
R3 = set(CATALOGUE.trainings) - MASK - HTC
THRESHOLDS = {
    "r3_naive_dec": [0.7, 0.6, 0.5],
    "r3_1loop": [0.5],
    "r3_2loops": [0.5, 0.6],
    "r3_4loops": [0.5, 0.6, 0.7, 0.8],
}  # every other loop or stage: 0.5, 0.6, 0.7
STDS = ([0.1, 0.1, 0.2, 0.2], [0.05, 0.05, 0.1, 0.1], [0.033, 0.033, 0.067, 0.067])
IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}


@pytest.fixture(scope="module", params=CATALOGUE.trainings)
def training(request):
    """The id and the resolved config of one training."""
    entry = CATALOGUE.trainings[request.param]
    return request.param, resolve(entry, load_scale("paper"), seed=0)


def stages(settings) -> list:
    return settings if isinstance(settings, list) else [settings]


def test_optimiser_and_schedule(training):
    id_, cfg = training
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ("SGD", 0.02)
    assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 0.0001)
    assert cfg.optim_wrapper.get("clip_grad") is None
    warmup, drops = cfg.param_scheduler
    assert (warmup.type, warmup.start_factor, warmup.end) == ("LinearLR", 0.001, 500)
    epochs, milestones = (36, [28, 34]) if id_ == "mask_3x" else (12, [8, 11])
    assert cfg.train_cfg.max_epochs == epochs
    assert (drops.type, drops.milestones, drops.gamma) == ("MultiStepLR", milestones, 0.1)


def test_images_and_batch(training):
    _, cfg = training
    assert cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.train_dataloader.batch_size == 2
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        resize = next(step for step in loader.dataset.pipeline if step.type == "Resize")
        assert (tuple(resize.scale), resize.keep_ratio) == ((1333, 800), True)
    flip = [s for s in cfg.train_dataloader.dataset.pipeline if s.type == "RandomFlip"]
    assert [step.prob for step in flip] == [0.5]
    assert cfg.train_dataloader.dataset.filter_cfg == {"filter_empty_gt": True, "min_size": 32}


def test_backbone_and_normalisation(training):
    id_, cfg = training
    backbone, images = cfg.model.backbone, cfg.model.data_preprocessor
    assert (backbone.type, backbone.depth, backbone.frozen_stages) == ("ResNet", 50, 1)
    assert backbone.init_cfg.checkpoint == "torchvision://resnet50"
    trains = id_ in {"htc_gcnet", "r3l_gcnet"}
    assert backbone.norm_cfg == {"type": "SyncBN" if trains else "BN", "requires_grad": True}
    assert backbone.norm_eval is not trains
    assert {key: images[key] for key in IMAGENET} == IMAGENET
    assert (images.bgr_to_rgb, images.pad_size_divisor) == (True, 32)


def test_extensions(training):
    id_, cfg = training
    backbone = cfg.model.backbone
    later = (False, True, True, True)
    if "gcnet" in id_:
        (plugin,) = backbone.plugins
        assert plugin.cfg == {"type": "ContextBlock", "ratio": 0.25}
        assert (tuple(plugin.stages), plugin.position) == (later, "after_conv3")
    else:
        assert backbone.get("plugins") is None
    if "dcn" in id_:
        assert (backbone.dcn.type, backbone.dcn.deform_groups) == ("DCN", 1)
        assert tuple(backbone.stage_with_dcn) == later
    else:
        assert backbone.get("dcn") is None
    kind = "GenericRoIExtractor" if "groie" in id_ else "SingleRoIExtractor"
    for name, size in (("bbox_roi_extractor", 7), ("mask_roi_extractor", 14)):
        extractor = cfg.model.roi_head[name]
        assert (extractor.type, extractor.roi_layer.output_size) == (kind, size)
        if kind == "GenericRoIExtractor":
            assert (extractor.aggregation, extractor.roi_layer.sampling_ratio) == ("sum", 2)
            assert extractor.post_cfg.attention_type == "0100"
            assert extractor.pre_cfg.kernel_size == 5


def test_proposals(training):
    id_, cfg = training
    rpn, train, test = cfg.model.rpn_head, cfg.model.train_cfg, cfg.model.test_cfg
    mask = id_ in MASK
    assert train.rpn_proposal.max_per_img == (1000 if mask else 2000)
    assert (train.rpn_proposal.nms_pre, test.rpn.nms_pre, test.rpn.max_per_img) == (
        2000,
        1000,
        1000,
    )
    assert train.rpn.allowed_border == (-1 if mask else 0)
    assert rpn.loss_bbox.type == ("L1Loss" if mask else "SmoothL1Loss")
    assert rpn.loss_bbox.get("beta") == (None if mask else pytest.approx(1 / 9))
    assert rpn.anchor_generator.scales == [8]
    assert train.rpn.assigner.pos_iou_thr == 0.7
    assert train.rpn.assigner.neg_iou_thr == 0.3
    assert (train.rpn.sampler.num, train.rpn.sampler.pos_fraction) == (256, 0.5)


def test_loops_and_samples(training):
    id_, cfg = training
    head, train = cfg.model.roi_head, cfg.model.train_cfg.rcnn
    thresholds = THRESHOLDS.get(id_, [0.5, 0.6, 0.7])
    if id_ in R3:
        assert head.iou_thresholds == thresholds
        assert head.loop_weights == [1.0, 0.75, 0.5, 0.3]
    elif id_ in HTC:
        assert head.stage_loss_weights == [1, 0.5, 0.25]
        assert [stage.assigner.pos_iou_thr for stage in train] == thresholds
    for stage in stages(train):
        assert stage.sampler == {
            "type": "RandomSampler",
            "num": 512,
            "pos_fraction": 0.25,
            "neg_pos_ub": -1,
            "add_gt_as_proposals": True,
        }
        assigner = stage.assigner
        assert assigner.type == "MaxIoUAssigner"
        assert assigner.pos_iou_thr == assigner.neg_iou_thr == assigner.min_pos_iou
        assert assigner.get("match_low_quality", True)  # mmdet's default is on


def test_box_heads(training):
    id_, cfg = training
    heads = stages(cfg.model.roi_head.bbox_head)
    for head, stds in zip(heads, STDS, strict=False):
        assert head.bbox_coder.target_stds == stds
        assert head.reg_class_agnostic is (id_ not in MASK)
        assert head.loss_bbox.type == ("L1Loss" if id_ in MASK else "SmoothL1Loss")
        assert head.num_classes == 80
    assert len(heads) == (3 if id_ in HTC else 1)
    advanced = id_ == "r3_advanced" or id_.startswith("r3l_")
    assert (heads[0].type == "R3AdvancedBBoxHead") is advanced
    assert ("mask_iou_head" in cfg.model.roi_head) is advanced
    if advanced:
        assert cfg.model.roi_head.mask_iou_head.loss_iou == {"type": "MSELoss", "loss_weight": 0.5}


def test_thresholds_of_evaluation(training):
    id_, cfg = training
    test = cfg.model.test_cfg.rcnn
    assert test.score_thr == (0.05 if id_ in MASK else 0.001)
    assert (test.nms.iou_threshold, test.max_per_img, test.mask_thr_binary) == (0.5, 100, 0.5)


def test_the_detector_takes_its_loops_from_the_config():
    from r3cnn.weights.building import build_detector

    detector = build_detector(
        resolve(CATALOGUE.trainings["r3_4loops"], load_scale("paper"), seed=0), "meta"
    )
    assert detector.roi_head.loop_weights == [1.0, 0.75, 0.5, 0.3]
    assert [a.pos_iou_thr for a in detector.roi_head.bbox_assigner] == [0.5, 0.6, 0.7, 0.8]
    assert [s.num for s in detector.roi_head.bbox_sampler] == [512] * 4
