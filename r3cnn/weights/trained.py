"""Find what belongs to a trained checkpoint: the config next to it, and the names of its classes."""

from pathlib import Path

from mmengine.config import Config

from ..config.load import load_config
from ..core.errors import UserError
from ..core.layout import TrainingFolder


def config_of(checkpoint: Path, given: Path | None = None) -> Path:
    """The resolved config of a checkpoint: the one given, else <its stem>.py or config.py next to it."""
    if given is not None:
        return given
    candidates = [checkpoint.with_suffix(".py"), TrainingFolder(checkpoint.parent).config]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise UserError(
            f"{checkpoint}: no {' or '.join(path.name for path in candidates)} next to it; "
            "name its resolved config with --config"
        )
    return found


def load_of(checkpoint: Path, given: Path | None = None) -> Config:
    """That config, read. Raises UserError where it, or the checkpoint, is missing or none."""
    if not checkpoint.is_file():
        raise UserError(f"{checkpoint}: no such checkpoint; check the path")
    return load_config(config_of(checkpoint, given))


def classes_of(cfg: Config) -> tuple[str, ...]:
    """Names of the classes, in the order of the labels."""
    from mmdet.registry import DATASETS
    from mmdet.utils import register_all_modules

    dataset = cfg.test_dataloader.dataset
    own = (dataset.get("metainfo") or {}).get("classes")
    if own is None:
        register_all_modules(init_default_scope=False)
        own = DATASETS.get(dataset.type).METAINFO["classes"]
    return (own,) if isinstance(own, str) else tuple(own)
