"""A catalogue entry and a scale make one complete mmdet config.

The functions named here are imported at their first use: mmengine, which they need, is heavy.
"""

import importlib
from typing import Any

_PLACES = {"load_config": "load", "require_loops": "resolve"}


def __getattr__(name: str) -> Any:
    """A function of this room by its name. Raises AttributeError."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_PLACES[name]}", __name__)
    return getattr(module, name)
