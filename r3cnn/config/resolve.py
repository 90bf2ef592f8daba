"""A catalogue entry and a scale make one complete mmdet config.

Layers, later ones win: the model file and its bases, the mixins of `with`, the entry's own settings
(`iou`, `options`), the scale (data, image size, schedule, network size).
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..catalogue.chains import config_chain
from ..catalogue.scales import Scale
from ..catalogue.trainings import MODELS, Training
from ..core.errors import UserError
from ..core.schema import shown
from ..data import annotation_file, image_folder
from . import own_code, pipeline
from .imports import require_form, require_imports
from .kinds import require_data, require_shrinkable, require_two_stage
from .network import set_classes, shrink
from .options import require_kept, set_options, where_of
from .reading import read
from .signatures import require_taken
from .unread import require_no_hooks, require_not_replaced, require_read


def resolve(
    training: Training,
    scale: Scale,
    seed: int,
    data: dict | None = None,
    backbone: str | None = None,
) -> Config:
    """The whole config of one training: what is run, and nothing left to choose.

    data: the checked data (the content of data.json); without it COCO's 80 classes are kept.
    backbone: a file of backbone weights, or `random`; without it those that the model names.
    Raises UserError where a setting does not fit the model.
    """
    where, files = shown(training.model_file), config_chain(training.model_file)
    cfg = _as_written(training, where, files)
    before = copy.deepcopy(cfg)
    if scale.network:
        require_shrinkable(cfg.model, where, scale.name)
        shrink(cfg.model, scale.network)
    pretrained = _set_backbone(cfg, scale, backbone)
    _set_schedule(cfg, training, scale)
    _set_data(cfg, scale, data, where)
    require_kept(cfg, training)
    require_not_replaced(before, cfg, files)
    if of_a_user(training):
        require_taken(cfg, f"{shown(training.catalogue)}: {training.id}")
    cfg.randomness = {"seed": seed}
    cfg.r3cnn = {**cfg.get("r3cnn", {}), **_facts(cfg, training, scale, seed, data, pretrained)}
    return cfg


def _as_written(training: Training, where: str, files: Sequence[Path]) -> Config:
    """The model with the entry's own settings, before the scale. Raises UserError for what cannot be trained."""
    cfg = read(training.model_file, files)
    require_read(cfg, files, {})
    if of_a_user(training):  # what is shipped is tested, and needs no slow import of the models
        require_two_stage(cfg, where, own_code=training.code is not None)
    require_data(cfg, where)
    require_no_hooks(cfg, training.model_file)
    for mixin in training.mixin_files:
        cfg.merge_from_dict(_plain(read(mixin)))
    if of_a_user(training):
        require_form(cfg, where)
    if training.code:
        own_code.add(cfg, training.code)
    if of_a_user(training):  # after the code of the row, which a model file may name
        require_imports(cfg, where)
    _set_thresholds(cfg, training)
    set_options(cfg, training)
    if training.options:
        at = f"{shown(training.catalogue)}: {training.id}: options"
        require_two_stage(cfg, at, own_code=training.code is not None)
    require_read(cfg, (), {key: where_of(training, key) for key in training.options})
    require_data(cfg, where)
    _require_weights(cfg, training)
    _require_heads(cfg, training)
    return cfg


def _facts(
    cfg: Config,
    training: Training,
    scale: Scale,
    seed: int,
    data: dict | None,
    pretrained: dict | None,
) -> dict[str, Any]:
    """What the config says of its training, for the commands that read it."""
    facts = {
        "training": training.id,
        "seed": seed,
        "scale": scale.name,
        "schedule": training.schedule,
        "loops_trained": _loops_trained(cfg),
        "data": data and _data_facts(data),
    }
    if pretrained:
        facts["pretrained"] = pretrained
    if scale.validate:
        facts["validate_every"] = scale.validate["every"]
    return facts


def of_a_user(training: Training) -> bool:
    """Whether a training has options, code or a model file of a user's own."""
    files = (training.model_file, *training.mixin_files)
    shipped = all(MODELS in file.parents for file in files)
    return bool(training.options or training.code) or not shipped


def _plain(cfg: Config) -> dict:
    return cfg._cfg_dict.to_dict()


def require_loops(
    cfg: Config, training: Training, loops: Sequence[int], stated_in: Path | None
) -> None:
    """Raise UserError where a model that does not loop is to be evaluated with other loops than its own.

    stated_in: the catalogue that states the loops; None where none does.
    """
    own = cfg.r3cnn.loops_trained
    if "iou_thresholds" not in cfg.model.roi_head and list(loops) != [own]:
        found = f"found {list(loops)}" if stated_in else "missing"
        raise UserError(
            f"{shown(stated_in or training.catalogue)}: evaluations: {training.id}: loops: {found}; the model "
            f"{training.model!r} always runs {own}, expected [{own}]"
        )


def _set_thresholds(cfg: Config, training: Training) -> None:
    head = cfg.model.roi_head
    where = f"{shown(training.catalogue)}: {training.id}: iou"
    if "iou_thresholds" in head and not training.iou:
        raise UserError(
            f"{where}: missing; the model {training.model!r} loops, expected one IoU threshold for each "
            "training loop, such as [0.5, 0.6, 0.7]"
        )
    if training.iou and "iou_thresholds" not in head:
        raise UserError(
            f"{where}: the model {training.model!r} does not loop; remove `iou` or choose an R3 model"
        )
    if training.iou:
        head.iou_thresholds = list(training.iou)


def _require_weights(cfg: Config, training: Training) -> None:
    head = cfg.model.roi_head
    loops, weights = head.get("iou_thresholds", ()), head.get("loop_weights", ())
    if len(weights) < len(loops):
        raise UserError(
            f"{shown(training.catalogue)}: {training.id}: iou: {len(loops)} loops, but only {len(weights)} "
            "loop weights; give one for each loop in `options`, as model.roi_head.loop_weights"
        )


def _require_heads(cfg: Config, training: Training) -> None:
    head = cfg.model.roi_head
    if head.get("heads") is None or "iou_thresholds" not in head:
        return
    from ..models.loop_heads import heads_of_loops  # the models are slow to import

    try:
        heads_of_loops(head.heads, len(head.iou_thresholds))
    except ValueError as error:
        raise UserError(
            f"{shown(training.catalogue)}: {training.id}: options: model.roi_head.{error}"
        ) from None


def _set_backbone(cfg: Config, scale: Scale, backbone: str | None) -> dict[str, str] | None:
    """Say where the weights come from that a training begins with; of a small network, file and checksum."""
    if scale.network:
        return _set_small_backbone(cfg, scale, backbone)
    if backbone:
        _set_large_backbone(cfg, backbone)
    return None


def _set_small_backbone(cfg: Config, scale: Scale, backbone: str | None) -> dict[str, str] | None:
    """With the scale's weights as the paper trains: first stage and statistics fixed. Without, all trains."""
    if backbone not in (None, "random"):
        raise UserError(
            f"--backbone {backbone}: the small backbone of scale {scale.name} fits no file; "
            "expected `random`, or a scale without `network`"
        )
    if backbone == "random" or scale.pretrained is None:
        cfg.model.backbone.update(frozen_stages=-1, norm_eval=False)
        return None
    file = shown(scale.pretrained.file)
    for part in ("backbone", "neck", "rpn_head"):
        cfg.model[part].init_cfg = {"type": "Pretrained", "checkpoint": file, "prefix": f"{part}."}
    return {"file": file, "sha256": scale.pretrained.sha256}


def _set_large_backbone(cfg: Config, backbone: str) -> None:
    if backbone == "random":
        cfg.model.backbone.init_cfg = None
        return
    if not Path(backbone).is_file():
        raise UserError(
            f"--backbone {backbone}: no such file; expected ResNet-50 weights, or `random`"
        )
    cfg.model.backbone.init_cfg = {"type": "Pretrained", "checkpoint": backbone}


def _loops_trained(cfg: Config) -> int:
    """L_t: training loops of R3, stages of HTC, 1 for Mask R-CNN."""
    head = cfg.model.roi_head
    return len(head.get("iou_thresholds", ())) or head.get("num_stages", 1)


def _data_facts(data: dict) -> dict:
    facts = {"root": data["root"], "classes": len(data["classes"])}
    for name, split in data["splits"].items():
        facts[f"{name}_sha256"] = split["sha256"]
        facts[f"{name}_images"] = split["image_count"]
        facts[f"{name}_image_bytes"] = split["image_bytes"]
    return facts


# ------------------------------------------------------------------------- schedule, data


def _set_schedule(cfg: Config, training: Training, scale: Scale) -> None:
    schedule, warmup = scale.schedule(training.schedule), scale.warmup
    epochs = schedule["epochs"]
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler = [
        {
            "type": "LinearLR",
            "start_factor": warmup["factor"],
            "by_epoch": False,
            "begin": 0,
            "end": warmup["iterations"],
        },
        {
            "type": "MultiStepLR",
            "begin": 0,
            "end": epochs,
            "by_epoch": True,
            "milestones": list(schedule["drops"]),
            "gamma": 0.1,
        },
    ]
    cfg.optim_wrapper.optimizer.lr = scale.lr * training.rate
    cfg.auto_scale_lr = {"enable": False, "base_batch_size": scale.batch}


def _set_data(cfg: Config, scale: Scale, data: dict | None, where: str) -> None:
    root = Path(data["root"]) if data else Path("data/coco")
    full = pipeline.full_size(cfg.test_dataloader.dataset.pipeline)
    for name, split in (
        ("train_dataloader", "train"),
        ("val_dataloader", "val"),
        ("test_dataloader", "val"),
    ):
        loader = cfg[name]
        loader.num_workers = scale.workers
        loader.persistent_workers = scale.workers > 0
        loader.dataset.update(
            data_root="",
            ann_file=str(annotation_file(root, split)),
            data_prefix={"img": f"{image_folder(root, split)}/"},
        )
        if data:
            loader.dataset.metainfo = {"classes": tuple(data["classes"])}
        place = f"{where}: {name}.dataset.pipeline"
        pipeline.fit(loader.dataset.pipeline, full, scale.images, place)
    cfg.train_dataloader.batch_size = scale.per_pass
    if scale.train_images:
        cfg.train_dataloader.dataset.indices = scale.train_images  # mmengine's: the first so many
    for name in ("val_evaluator", "test_evaluator"):
        for one in cfg[name] if isinstance(cfg[name], list) else [cfg[name]]:
            one.ann_file = str(annotation_file(root, "val"))
    if data:
        set_classes(cfg.model, len(data["classes"]))
    for leftover in (
        "data_root",
        "train_pipeline",
        "test_pipeline",
        "dataset_type",
        "backend_args",
    ):
        cfg.pop(leftover, None)
