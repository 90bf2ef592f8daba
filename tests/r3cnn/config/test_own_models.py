"""Model files of a user's own: what cannot be trained, or is read by nothing, is refused or said in one line."""

import dataclasses
from pathlib import Path

import pytest

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import Training
from r3cnn.config.load import load_config
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.weights.building import require_buildable
from tests.r3cnn import tiny

MASK = '_base_ = "mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"\n'
TRAIN_PIPELINE = """
    dict(type="LoadImageFromFile"{load}),
    dict(type="LoadAnnotations", with_bbox=True, with_mask={mask}),
    dict(type="{resize}", {scale}, keep_ratio=True),
    {more}
    dict(type="PackDetInputs"),
"""


def own(tmp_path: Path, text: str, **changes: object) -> Training:
    """A training of a model file with this text."""
    file = tmp_path / "model.py"
    file.write_text(text, encoding="utf-8")
    entry = tiny.entry(
        "mask_1x", model="model.py", model_file=file, catalogue=tmp_path / "mine.yaml"
    )
    return dataclasses.replace(entry, **changes)


def resolved(tmp_path: Path, text: str, scale: str = "smoke", **changes: object):
    return resolve(own(tmp_path, text, **changes), load_scale(scale), 0)


def pipeline(load="", mask=True, resize="Resize", scale="scale=(1333, 800)", more="") -> str:
    steps = TRAIN_PIPELINE.format(load=load, mask=mask, resize=resize, scale=scale, more=more)
    return f"{MASK}p = [{steps}]\ntrain_dataloader = dict(dataset=dict(pipeline=p))\n"


def wrapped(kind: str) -> str:
    inner = "dataset=dict(_base_.train_dataloader.dataset, _delete_=True)"
    return f'{MASK}train_dataloader = dict(dataset=dict(_delete_=True, type="{kind}", {inner}))\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # models of another kind
        ('_base_ = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"\n', "RetinaNet has no rpn_head"),
        ('_base_ = "mmdet::solov2/solov2_r50_fpn_1x_coco.py"\n', "SOLOv2 has no rpn_head"),
        ('_base_ = "mmdet::detr/detr_r50_8xb2-150e_coco.py"\n', "DETR has no rpn_head"),
        ('_base_ = "mmdet::yolact/yolact_r50_1xb8-55e_coco.py"\n', "YOLACT has no rpn_head"),
        ('_base_ = "mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py"\n', "has no neck"),
        ('_base_ = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"\n', "FasterRCNN finds boxes alone"),
        ('_base_ = "mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py"\n', "finds boxes alone"),
        ('_base_ = "mmdet::htc/htc_r50_fpn_1x_coco.py"\n', "has a semantic_head"),
        ('_base_ = "mmdet::panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py"\n', "has a semantic_head"),
        # data sets
        ('_base_ = "mmdet::mask_rcnn/mask-rcnn_r50_fpn_ms-poly-3x_coco.py"\n', "dataset: RepeatDataset repeats"),
        (wrapped("RepeatDataset"), "dataset: RepeatDataset repeats the images; take the data set out of it"),
        (wrapped("ClassBalancedDataset"), "dataset: ClassBalancedDataset repeats images of rare classes"),
        (wrapped("MultiImageMixDataset"), "dataset: MultiImageMixDataset mixes images at random"),
        (
            MASK + 'd = _base_.train_dataloader.dataset\ntrain_dataloader = dict(dataset=dict(_delete_=True, '
            'type="ConcatDataset", datasets=[d, d]))\n',
            "dataset: ConcatDataset joins several data sets; expected one",
        ),
        (MASK + 'train_dataloader = dict(dataset=dict(type="VOCDataset"))\n', "found VOCDataset, expected Coco"),
        (MASK + 'train_dataloader = dict(sampler=dict(type="ClassAwareSampler"))\n', "ClassAwareSampler draws"),
        (pipeline(mask=False), "LoadAnnotations: expected with_bbox=True, with_mask=True"),
        (pipeline(load=", to_float32=True"), "LoadImageFromFile: to_float32: nothing reads it"),
        (
            pipeline(more='dict(type="RandomCrop", crop_size=(512, 512)),'),
            "RandomCrop.crop_size: found (512, 512) pixels, but the scale's images are [160, 128]",
        ),
        ('_base_ = "mmdet::_base_/models/mask-rcnn_r50_fpn.py"\n', "no train_dataloader; add bases such as"),
        # keys that nothing reads
        (MASK + 'optimizer = dict(type="SGD")\nlr_config = dict(policy="step")\n', "reads optimizer, lr_config"),
        (MASK + "data = dict(samples_per_gpu=1)\n", "nothing reads data; data is a key of mmdet 2"),
        (MASK + "total_epochs = 24\n", "nothing reads total_epochs"),
        (MASK + "runner = dict(max_epochs=36)\n", "nothing reads runner"),
        (MASK + 'custom_hooks = [dict(type="EMAHook")]\n', "nothing reads custom_hooks; no hook of mmengine"),
        (MASK + 'load_from = "zoo.pth"\n', "nothing reads load_from; name a checkpoint as `weights`"),
        (MASK + "train_pipeline = []\ntest_pipeline = [1]\n", "nothing reads test_pipeline"),
        (MASK + "modle = dict(neck=dict(num_outs=4))\n", "modle: nothing reads it (did you mean model?)"),
        # values that the scale replaces
        (MASK + 'param_scheduler = [dict(type="CosineAnnealingLR")]\n', "param_scheduler: found [{'type': 'Cos"),
        (MASK + "train_cfg = dict(max_epochs=36)\n", "train_cfg.max_epochs: found 36, but the scale"),
        (MASK + "optim_wrapper = dict(optimizer=dict(lr=0.5))\n", "optim_wrapper.optimizer.lr: found 0.5, but"),
        (MASK + "train_dataloader = dict(batch_size=7)\n", "train_dataloader.batch_size: found 7, but the scale"),
        (MASK + "optim_wrapper = dict(accumulative_counts=4)\n", "accumulative_counts: nothing reads it"),
        # keys that a class does not take
        (MASK + "model = dict(neck=dict(num_out=4))\n", "model.neck.num_out: FPN takes no 'num_out'; expected"),
        (MASK + 'model = dict(backbone=dict(type="SwinTransformer", _delete_=True))', "found SwinTransformer"),
        # files that cannot be read
        ("x = 1\n", "model.py: no `model`; expected the config of a detector"),
        (MASK + "y = 1 / 0\n", "model.py, line 2: ZeroDivisionError"),
        ('_base_ = "mmdet::mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py"\n', "did you mean mask_rcnn/mask-rcnn_r50_f"),
        ('_base_ = "./model.py"\n', "_base_: leads back to this file"),
        ("from mmengine.config import read_base\nwith read_base():\n    pass\n", "line 1: imports mmengine"),
        (MASK + "model = dict(roi_head=_base_.model.roi_hed)\n", "line 2: AttributeError: "),
    ],
)  # fmt: skip
def test_a_model_file_that_cannot_be_trained_as_it_says(tmp_path, text, said):
    with pytest.raises(UserError) as caught:
        resolved(tmp_path, text)
    message = str(caught.value)
    assert said in message
    assert message.startswith((str(tmp_path / "model.py"), f"{tmp_path / 'mine.yaml'}: mask_1x: "))
    assert "\n" not in message


def test_a_file_in_latin_1(tmp_path):
    entry = own(tmp_path, MASK)
    entry.model_file.write_bytes("# größer\n".encode("latin-1") + MASK.encode())
    with pytest.raises(UserError, match=r"model.py: expected Python in UTF-8"):
        resolve(entry, load_scale("smoke"), 0)


def test_the_remedy_for_a_wrapped_data_set_works(tmp_path):
    base = tmp_path / "wrapped.py"
    base.write_text(wrapped("RepeatDataset"), encoding="utf-8")
    inner = "dict(_base_.train_dataloader.dataset.dataset, _delete_=True)"
    cfg = resolved(tmp_path, f'_base_ = "./wrapped.py"\ntrain_dataloader = dict(dataset={inner})\n')
    assert cfg.train_dataloader.dataset.type == "CocoDataset"


@pytest.mark.parametrize(
    ("scale", "expected"),
    [("smoke", [(160, 102), (160, 128)]), ("paper", [(1333, 640), (1333, 800)])],
)
def test_sizes_to_choose_among_become_smaller_as_the_scale_does(tmp_path, scale, expected):
    text = pipeline(resize="RandomResize", scale="scale=[(1333, 640), (1333, 800)]")
    step = resolved(tmp_path, text, scale).train_dataloader.dataset.pipeline[2]
    assert [tuple(size) for size in step.scale] == expected


def test_keys_without_effect_on_results_are_counted(tmp_path, caplog):
    text = "log_config = dict(interval=50)\nworkflow = []\ntrain_dataloader = dict(num_workers=9)\n"
    resolved(tmp_path, MASK + text)
    assert "model.py: nothing reads 2 keys: log_config, workflow" in caplog.text
    assert "1 keys replaced by --data and the scale: train_dataloader.num_workers" in caplog.text


def test_a_model_file_that_is_read_whole_is_taken_without_a_word(tmp_path, caplog):
    text = "width = 64\nmodel = dict(rpn_head=dict(feat_channels=width))\n"
    text += "optim_wrapper = dict(clip_grad=dict(max_norm=35))\n"
    cfg = resolved(tmp_path, MASK + text)
    assert cfg.optim_wrapper.clip_grad.max_norm == 35
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model = dict(backbone=dict(out_indices=(0, 9)))", "cannot be built: "),
        (
            "optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'bakbone': dict(lr_mult=0.1)}))",
            "custom_keys: 'bakbone' is in no parameter's name",
        ),
    ],
)
def test_a_model_that_cannot_be_built_is_refused(tmp_path, text, said):
    cfg = resolved(tmp_path, f"{MASK}{text}\n")
    with pytest.raises(UserError, match="mine.yaml: mask_1x: .*" + said):
        require_buildable(cfg, "mine.yaml: mask_1x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model = 1 / 0\n", r"config.py, line 1: ZeroDivisionError"),
        ("r3cnn = dict()\n", "config.py: no `model`"),
        ("model = dict(\n", "config.py, line 1: SyntaxError|config.py: SyntaxError"),
    ],
)
def test_a_resolved_config_that_was_broken_by_hand(tmp_path, text, said):
    (tmp_path / "config.py").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        load_config(tmp_path / "config.py")
