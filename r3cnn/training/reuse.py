"""Reuse the weights of another training of the catalogue if the two differ only in their evaluation."""

import shutil
from pathlib import Path

from mmengine.config import Config

from ..config.load import load_config
from ..core import provenance
from ..core.errors import UserError
from ..core.files import read_json, replacing, sha256_of, write_atomically, write_json
from ..core.layout import TrainingFolder

# what a training's weights do not depend on
EVALUATION = (
    "r3cnn.validate_every",
    "model.roi_head.mask_flow",
    "model.roi_head.loops",
    "model.test_cfg.rcnn.",
    "test_",
    "val_",
)
NAMES = ("r3cnn.training",)


def reuse(config: Path, cfg: Config, trained: Path, out: Path) -> None:
    """Write to `out` the results of the finished training in `trained`, which costs nothing.

    Raises UserError where a training with this config would have been another one.
    """
    source, folder = TrainingFolder(trained), TrainingFolder(out)
    theirs = load_config(source.config)
    differing = [key for key in differing_keys(cfg, theirs) if not of_evaluation(key)]
    if differing:
        raise UserError(
            f"{config}: {differing[0]}: differs from {source.config} and is read in training; expected "
            f"a difference in {', '.join(EVALUATION)} alone: remove `trained_as` to train it"
        )
    for path in (source.checkpoint, source.histogram, source.log):
        with replacing(out / path.name) as temporary:
            shutil.copyfile(_existing(path), temporary)
    write_atomically(folder.validation, "")  # theirs is of their own evaluation
    facts = read_json(_existing(source.manifest))
    now = provenance.now()
    write_json(
        folder.manifest,
        {
            **facts,
            "training": cfg.r3cnn.training,
            "trained_as": theirs.r3cnn.training,
            "config_sha256": sha256_of(config),
            "attempts": [],
            "seconds": 0.0,
            "start": now,
            "end": now,
        },
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: no such file; finish that training first")
    return path


def of_evaluation(key: str) -> bool:
    """Whether a dotted key of a config is about the evaluation alone."""
    return key in NAMES or any(
        key.startswith(part) if part[-1] in "._" else key == part for part in EVALUATION
    )


def differing_keys(one: Config, other: Config) -> list[str]:
    """Dotted keys in which two configs differ, in order."""
    left, right = (dict(_leaves(cfg.to_dict())) for cfg in (one, other))
    missing = object()
    keys = dict.fromkeys([*left, *right])
    return [key for key in keys if left.get(key, missing) != right.get(key, missing)]


def _leaves(node: dict, path: str = ""):
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
