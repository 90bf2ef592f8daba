"""Replaces imaug, which set-up leaves out (pyproject.toml says why): mmdet imports it, R3-CNN does not use it.

Loaded under the names imgaug and imgaug.* by r3cnn/ops/finder.py.
"""

from collections.abc import Callable
from typing import Any, NoReturn


def __getattr__(name: str) -> Callable[..., NoReturn]:
    """Any class or function of imaug: there when mmdet imports it, and an error when it is called."""
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*args: Any, **kwargs: Any) -> NoReturn:
        raise ImportError(
            f"imgaug.{name} is needed, but imaug is not installed: mmdet's lane-line transforms want "
            "`pip install imaug`, in an environment of their own"
        )

    return missing
