"""Read a config file, which is Python: any exception that it raises becomes one line."""

import difflib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from ..core.errors import UserError
from ..core.files import writing
from ..core.schema import shown

CONFIGS = "/.mim/configs/"  # where a package of OpenMMLab has those that `package::name` means


def read(path: Path, own: Sequence[Path] = (), remedy: str = "correct the file") -> Config:
    """A config with its bases; `own`: those of them that are the user's. Raises UserError, with the remedy."""
    try:
        with writing(Path(tempfile.gettempdir(), path.name)):  # mmengine makes a copy there
            cfg = Config.fromfile(str(path), import_custom_modules=False)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # the file is code
        file, line = _place(error, own or (path,))
        where = shown(file or path) + (f", line {line}" if line else "")
        raise UserError(f"{where}: {_explained(error, remedy)}") from error
    if not isinstance(cfg.get("model"), dict):
        raise UserError(
            f"{shown(path)}: no `model`; expected the config of a detector, such as "
            '_base_ = "mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"'
        )
    return cfg


def line_of(error: BaseException, file: Path) -> int | None:
    """The line of a file at which an error arose in it."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in (str(file), str(file.absolute())):
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _place(error: BaseException, files: Sequence[Path]) -> tuple[Path | None, int | None]:
    places = ((file, line_of(error, file)) for file in files)
    return next((place for place in places if place[1]), (None, None))


def _explained(error: BaseException, remedy: str) -> str:
    """What an error says, in one line, with what to do."""
    said = " ".join(str(error).split())
    if isinstance(error, RecursionError):
        return "_base_: leads back to this file; remove it from one"
    if isinstance(error, FileNotFoundError) and CONFIGS in said:
        folder, _, name = said.split('"')[1].partition(CONFIGS)
        known = [str(p.relative_to(folder + CONFIGS)) for p in Path(folder + CONFIGS).rglob("*.py")]
        close = difflib.get_close_matches(name, known, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        return f"_base_: {Path(folder).name} has no config {name}{meant}; correct the name"
    if isinstance(error, ModuleNotFoundError | AssertionError) and "::" not in said:
        return f"{said or type(error).__name__}; expected _base_ to be a file or mmdet::..."
    said = said if len(said) <= 300 else said[:297] + "..."
    said = said.replace(
        "(<unknown>, line", "(line"
    )  # a name that mmengine gives to what it compiles
    return f"{type(error).__name__}: {said or 'no more is known'}; {remedy}"
