"""Which models and data sets are trained here: two stages, boxes and masks, one data set in COCO's format."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from ..core.errors import UserError
from .signatures import registry_of

EXAMPLE = "Mask R-CNN, Cascade Mask R-CNN or HTC"
PARTS = ("train_dataloader", "test_dataloader", "val_dataloader", "val_evaluator", "test_evaluator",
         "optim_wrapper", "train_cfg")  # fmt: skip
UNWRAP = (
    "take the data set out of it: train_dataloader = dict(dataset=dict(_base_.train_dataloader.dataset.dataset, "
    "_delete_=True))"
)
WRAPPERS = {
    "RepeatDataset": f"repeats the images; {UNWRAP}, and choose `schedule: 3x` or a scale of your own",
    "ClassBalancedDataset": f"repeats images of rare classes; {UNWRAP}",
    "ConcatDataset": "joins several data sets; expected one: merge their annotation files for --data",
    "MultiImageMixDataset": f"mixes images at random, which no stop could be resumed from; {UNWRAP}",
}
COCO = "CocoDataset"
SAMPLERS = ("DefaultSampler", "InfiniteSampler")  # images in an order drawn evenly


def require_two_stage(cfg: Config, where: str, own_code: bool) -> None:
    """Raise UserError for a model that has no RPN, no RoI head or no masks. own_code: heads may hide theirs."""
    model = cfg.model
    kind = model.get("type", "the model")
    missing = next(
        (p for p in ("backbone", "neck", "rpn_head", "roi_head") if not model.get(p)), None
    )
    if missing:
        raise UserError(
            f"{where}: model: {kind} has no {missing}; expected two stages with masks, such as {EXAMPLE}"
        )
    for part in ("backbone", "rpn_head", "roi_head"):
        if not isinstance(model[part], dict):
            raise UserError(
                f"{where}: model.{part}: found {model[part]!r}, expected a mapping with a type"
            )
    head = model.roi_head
    if model.get("semantic_head") or head.get("semantic_head"):
        raise UserError(
            f"{where}: model: {kind} has a semantic_head, which learns from segmentation maps of stuff; "
            "expected a model of instances alone, such as mmdet::htc/htc-without-semantic_r50_fpn_1x_coco.py"
        )
    if not own_code and not head.get("mask_head"):
        raise UserError(
            f"{where}: model.roi_head: {head.get('type', 'it')} has no mask_head, so {kind} finds boxes alone; "
            f"expected masks too, such as {EXAMPLE}"
        )
    for key in (
        "train_cfg.rpn",
        "train_cfg.rpn_proposal",
        "train_cfg.rcnn",
        "test_cfg.rpn",
        "test_cfg.rcnn",
    ):
        part, name = key.split(".")
        if not (model.get(part) or {}).get(name):
            raise UserError(f"{where}: model.{key}: missing; expected it as {EXAMPLE} have it")


def require_shrinkable(model: Mapping[str, Any], where: str, scale: str) -> None:
    """Raise UserError for a network that a scale's rule cannot make smaller."""
    remedy = f"; scale {scale} makes the network smaller: choose a scale with `network: null`, such as paper"
    backbone, neck, rpn = model["backbone"], model["neck"], model["rpn_head"]
    if backbone.get("type") not in ("ResNet", "ResNet14"):
        raise UserError(
            f"{where}: model.backbone: found {backbone.get('type')}, expected ResNet{remedy}"
        )
    if not isinstance(neck, dict) or len(neck.get("in_channels", ())) != 4:
        raise UserError(f"{where}: model.neck: expected one FPN on 4 stages{remedy}")
    if "scales" not in (rpn.get("anchor_generator") or {}):
        raise UserError(
            f"{where}: model.rpn_head: {rpn.get('type')} has no anchor_generator.scales, expected RPNHead{remedy}"
        )


def require_data(cfg: Config, where: str) -> None:
    """Raise UserError for a config without data, and for data sets that do not come as they are from one file."""
    for part in PARTS:
        if not cfg.get(part):
            raise UserError(
                f"{where}: no {part}; add bases such as mmdet::_base_/datasets/coco_instance.py and "
                "mmdet::_base_/schedules/schedule_1x.py"
            )
    for part in ("train_dataloader", "val_dataloader", "test_dataloader"):
        _require_one_data_set(cfg[part].get("dataset") or {}, f"{where}: {part}.dataset")
    sampler = (cfg.train_dataloader.get("sampler") or {}).get("type", SAMPLERS[0])
    if sampler not in SAMPLERS:
        raise UserError(
            f"{where}: train_dataloader.sampler: {sampler} draws some images more often than others, but "
            f"here each image is trained once per epoch; expected {SAMPLERS[0]}"
        )
    if cfg.optim_wrapper.get("accumulative_counts", 1) != 1:
        raise UserError(
            f"{where}: optim_wrapper.accumulative_counts: nothing reads it; remove it: a scale's `batch` and "
            "`per_pass` say how many passes make a step"
        )


def _require_one_data_set(dataset: Mapping[str, Any], where: str) -> None:
    kind = str(dataset.get("type", "nothing")).rpartition(".")[2]
    if kind in WRAPPERS or "dataset" in dataset or "datasets" in dataset:
        raise UserError(f"{where}: {kind} {WRAPPERS.get(kind, f'wraps a data set; {UNWRAP}')}")
    if kind != COCO and not _reads_coco(kind):
        raise UserError(f"{where}: found {kind}, expected CocoDataset: --data is in COCO's format")
    _require_loading(dataset.get("pipeline") or (), where)


def _reads_coco(kind: str) -> bool:
    """Whether a class is CocoDataset's, and of none of those that read another format."""
    registry = registry_of(kind)
    found = registry.get(kind) if registry is not None else None
    bases = {base.__name__ for base in inspect.getmro(found)} if inspect.isclass(found) else set()
    return COCO in bases and not {"CocoPanopticDataset", "LVISV05Dataset"} & bases


def _require_loading(pipeline: Any, where: str) -> None:
    steps = [(str(step.get("type")).rpartition(".")[2], step) for step in pipeline]
    loads = [step for kind, step in steps if kind.startswith("LoadAnnotations")]
    if not steps or not loads:
        raise UserError(f"{where}.pipeline: expected LoadImageFromFile and LoadAnnotations in it")
    if not all(step.get("with_mask") for step in loads) or any(s.get("with_seg") for s in loads):
        raise UserError(
            f"{where}.pipeline: LoadAnnotations: expected with_bbox=True, with_mask=True and no with_seg"
        )
