"""Read a resolved config back from disk."""

from pathlib import Path

from mmengine.config import Config

from ..core.errors import UserError
from . import own_code
from .reading import read


def load_config(path: str | Path) -> Config:
    """A config file from disk, its `custom_imports` done. Raises UserError for a missing or broken file."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such config file; make one with `python -m r3cnn resolve`")
    cfg = read(Path(path), remedy="resolve it again")
    if "r3cnn" not in cfg:
        raise UserError(f"{path}: not a resolved config (no key r3cnn); resolve it again")
    own_code.import_all(cfg)
    return cfg


def text_of(cfg: Config) -> str:
    """A resolved config as Python that reads back the same: mmengine fills in what is in double braces."""
    return cfg.pretty_text.replace("{{", r"{\x7b")  # only a string literal can hold them
