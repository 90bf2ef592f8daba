"""The `options` of a catalogue entry: dotted keys of the config, each known to it and each kept."""

import inspect
from collections.abc import Iterable
from typing import Any

from mmengine.config import Config

from .catalogue import Training
from .errors import UserError
from .schema import choice, shown

# what mmengine reads beside the wrapper's own arguments
BESIDE_OPTIM_WRAPPER = {"constructor", "paramwise_cfg"}


def set_options(cfg: Config, training: Training) -> None:
    """Set keys like model.roi_head.mask_flow_in_training. Raises UserError for one that nothing reads."""
    for key, value in training.options.items():
        *parents, name = key.split(".")
        node: Any = cfg
        for part in parents:
            if not _has(node, part):
                raise _unknown(training, key, part, _keys(node))
            node = node[part]
        if not _has(node, name):
            taken = _taken(node)
            if name not in taken:
                raise _unknown(training, key, name, [*_keys(node), *taken])
        node[name] = value


def require_kept(cfg: Config, training: Training) -> None:
    """Raise UserError where the scale has overwritten an option; the network it may make smaller."""
    for key, wanted in training.options.items():
        found: Any = cfg
        for part in key.split("."):
            found = found[part] if _has(found, part) else None
        if found != wanted and not key.startswith("model."):
            raise UserError(
                f"{shown(training.catalogue)}: {training.id}: options: {key}: found {wanted!r}, but the "
                f"scale sets it to {found!r}; remove it, or use a scale of your own"
            )


def _has(node: Any, name: str) -> bool:
    return isinstance(node, dict | Config) and name in node


def _keys(node: Any) -> list[str]:
    return list(node.keys()) if isinstance(node, dict | Config) else []


def _taken(node: Any) -> list[str]:
    """The arguments that the class named by a node's `type` takes; none where there is no such class."""
    kind = node.get("type") if isinstance(node, dict) else None
    if not isinstance(kind, str):
        return []
    from mmdet import registry

    from . import models  # noqa: F401 - registers this project's

    for known in (
        registry.MODELS,
        registry.TASK_UTILS,
        registry.DATASETS,
        registry.OPTIM_WRAPPERS,
        registry.OPTIMIZERS,
    ):
        if found := known.get(kind):
            beside = BESIDE_OPTIM_WRAPPER if known is registry.OPTIM_WRAPPERS else set()
            return sorted(_arguments(found) | beside)
    return []


def _arguments(kind: type) -> set[str]:
    """Names that a class takes by keyword: its own, and its bases' as long as it hands on others."""
    found: set[str] = set()
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        arguments = inspect.signature(base.__init__).parameters.values()
        by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        found |= {one.name for one in arguments if one.kind in by_name}
        if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in arguments):
            break
    return found - {"self"}


def _unknown(training: Training, key: str, part: str, known: Iterable[str]) -> UserError:
    return UserError(
        f"{shown(training.catalogue)}: {training.id}: options: {key}: the config has no {part!r}; "
        f"{choice(part, sorted(set(known)))}"
    )
