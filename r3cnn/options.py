"""The `options` of a catalogue entry: dotted keys of the config, each known to it and each kept."""

import difflib
import inspect
from collections.abc import Iterable
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from .catalogue import Training
from .errors import UserError
from .schema import choice, shown

EMPTY_LIST = "list of nothing"
# what mmengine reads beside the wrapper's own arguments
BESIDE_OPTIM_WRAPPER = {"constructor", "paramwise_cfg"}


def set_options(cfg: Config, training: Training) -> None:
    """Set keys like model.roi_head.mask_flow_in_training, classes first: the other keys are their arguments.

    Raises UserError for a key that nothing reads, a class that is not there, a value of another kind.
    """
    for key in sorted(training.options, key=lambda key: not key.endswith(".type")):
        value = training.options[key]
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
        elif name == "type":
            _require_class(training, key, node[name], value)
        else:
            _require_kind(training, key, node[name], value)
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
    registry = _registry_of(kind) if isinstance(kind, str) else None
    if registry is None:
        return []
    beside = BESIDE_OPTIM_WRAPPER if registry.name == "optim_wrapper" else set()
    return sorted(_arguments(registry.get(kind)) | beside)


def _registry_of(kind: str) -> Registry | None:
    """Where a class is registered: with the models, tasks, datasets or optimizers."""
    from mmdet import registry

    from . import models  # noqa: F401 - registers this project's

    known = (
        registry.MODELS,
        registry.TASK_UTILS,
        registry.DATASETS,
        registry.OPTIM_WRAPPERS,
        registry.OPTIMIZERS,
    )
    return next((one for one in known if one.get(kind)), None)


def _require_class(training: Training, key: str, found: Any, wanted: Any) -> None:
    """The class takes another's place, so it is registered where that one is."""
    registry = _registry_of(found) if isinstance(found, str) else None
    if registry is None or (isinstance(wanted, str) and registry.get(wanted)):
        return
    names = {name for one in (registry, registry.parent) if one for name in one.module_dict}
    close = difflib.get_close_matches(str(wanted), sorted(names), n=1)
    raise UserError(
        f"{shown(training.catalogue)}: {training.id}: options: {key}: no class {wanted!r} is registered"
        + (
            f" (did you mean {close[0]}?)"
            if close
            else "; name one of mmdet's, or one of your `code`"
        )
    )


def _require_kind(training: Training, key: str, found: Any, wanted: Any) -> None:
    """A mapping stays a mapping, a list of numbers one of numbers; nothing (null) may stand anywhere."""
    if None in (found, wanted):
        return
    kinds = [_kind(value) for value in (found, wanted)]
    if kinds[0] != kinds[1] and not (kinds[0].startswith("list") and kinds[1] == EMPTY_LIST):
        raise UserError(
            f"{shown(training.catalogue)}: {training.id}: options: {key}: found {wanted!r}, a {kinds[1]}; "
            f"expected a {kinds[0]}, as the {found!r} of the model"
        )
    if isinstance(found, dict) and "type" in found and "type" not in wanted:
        raise UserError(
            f"{shown(training.catalogue)}: {training.id}: options: {key}: type: missing; "
            f"expected a class, as the {found['type']} of the model"
        )


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "mapping"
    if isinstance(value, list | tuple):
        kinds = sorted({_kind(item) for item in value if item is not None})
        return f"list of {' and '.join(kinds)}s" if kinds else EMPTY_LIST
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text"


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
