"""Read a resolved config back from disk."""

import tempfile
from pathlib import Path

from mmengine.config import Config

from ..core.errors import UserError
from ..core.files import writing
from . import own_code


def load_config(path: str | Path) -> Config:
    """A config file from disk, its `custom_imports` done. Raises UserError for a missing or broken file."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such config file; make one with `python -m r3cnn resolve`")
    try:
        with writing(Path(tempfile.gettempdir(), Path(path).name)):  # mmengine makes a copy there
            cfg = Config.fromfile(str(path), import_custom_modules=False)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a config: {error}; resolve it again") from error
    if "r3cnn" not in cfg:
        raise UserError(f"{path}: not a resolved config (no key r3cnn); resolve it again")
    own_code.import_all(cfg)
    return cfg


def text_of(cfg: Config) -> str:
    """A resolved config as Python that reads back the same: mmengine fills in what stands in double braces."""
    return cfg.pretty_text.replace("{{", r"{\x7b")  # only a string literal can hold them
