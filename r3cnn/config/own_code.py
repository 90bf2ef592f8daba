"""The user's own file, outside this repository, whose classes `code` adds to a catalogue entry."""

import importlib.util
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from ..core.errors import UserError
from ..core.files import sha256_of
from .reading import line_of


def add(cfg: Config, code: Path) -> None:
    """Import `code` now, and name it in the config for those who read that: its place and its checksum."""
    _load(code)
    wanted = cfg.get("custom_imports") or {"imports": [], "allow_failed_imports": False}
    cfg.custom_imports = {**wanted, "imports": [*wanted["imports"], code.stem]}
    cfg.r3cnn = {"code": {"file": str(code.resolve()), "sha256": sha256_of(code)}}


def import_all(cfg: Config) -> None:
    """Register what a config needs: code of the user's own, then its `custom_imports`. Raises UserError."""
    if code := file_of(cfg):
        _load(code)
    if wanted := cfg.get("custom_imports"):
        try:
            import_modules_from_strings(**wanted)
        except ImportError as error:
            raise UserError(
                f"{cfg.filename}: custom_imports: {error}; install it, or correct the name"
            ) from error


def file_of(cfg: Config) -> Path | None:
    """The user's own code of a config: where it was when the config was made, else next to the config.

    Raises UserError where it is missing, or another one by now.
    """
    stated = cfg.get("r3cnn", {}).get("code")
    if not stated:
        return None
    code, config = Path(stated["file"]), Path(cfg.filename or ".")
    found = [path for path in (code, config.with_name(code.name)) if path.is_file()]
    for path in found:
        if sha256_of(path) == stated["sha256"]:
            return path
    if not found:
        raise UserError(
            f"{code}: no such file, but {config} needs it; put it there or next to the config"
        )
    raise UserError(
        f"{found[0]}: has changed since {config} was made; put that version back, or resolve and train again"
    )


def _load(code: Path) -> None:
    """Import a file under its own name, so that `custom_imports` finds it, too."""
    name = code.stem
    known = sys.modules.get(name)
    if known is not None and _is_file(getattr(known, "__file__", None), code):
        return
    spec = importlib.util.find_spec(name) if name.isidentifier() and known is None else None
    if not name.isidentifier() or known is not None or (spec and not _is_file(spec.origin, code)):
        raise UserError(
            f"{code}: {name!r} is not a valid module name, or is the name of another module; rename the file"
        )
    from ..models.registered import register_all

    register_all()  # first, so that a name of theirs is refused here
    spec = importlib.util.spec_from_file_location(name, code)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        del sys.modules[name]
        said = ": ".join(filter(None, [type(error).__name__, " ".join(str(error).split())]))
        raise UserError(f"{code}, line {line_of(error, code) or '?'}: {said}; fix it") from error


def _is_file(found: str | None, code: Path) -> bool:
    return found is not None and Path(found).resolve() == code.resolve()
