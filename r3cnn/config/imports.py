"""The `custom_imports` of a model's file: modules of a user's own, that must import before anything is trained."""

import importlib
from typing import Any

from mmengine.config import Config

from ..core.errors import UserError


def require_form(cfg: Config, where: str) -> None:
    """Make the names of `custom_imports` a list. Raises UserError for a form that mmengine does not take.

    Source: mmengine takes a name or a list of names.
    """
    found: Any = cfg.get("custom_imports")
    if not found:
        return
    names = found.get("imports") if isinstance(found, dict) else None
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(
            f"{where}: custom_imports: found {found!r}, expected dict(imports=['module'])"
        )
    cfg.custom_imports = {**found, "imports": names}


def require_imports(cfg: Config, where: str) -> None:
    """Import what `custom_imports` names. Raises UserError for what fails.

    Source: mmengine only warns of a missing module with `allow_failed_imports`.
    """
    found: Any = cfg.get("custom_imports") or {"imports": []}
    for name in found["imports"]:
        try:
            importlib.import_module(name)
        except ImportError as error:
            if not found.get("allow_failed_imports"):
                raise UserError(
                    f"{where}: custom_imports: {error}; install it, or correct the name"
                ) from error
        except (Exception, SystemExit) as error:  # whatever the user's module raises
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise UserError(f"{where}: custom_imports: {name}: {said}; fix that module") from error
