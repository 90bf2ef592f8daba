"""Keyword arguments of a class: their names, and the types that its signature states."""

import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from ..core.errors import UserError
from ..core.schema import choice

# what the builders of a class take out of its mapping before they call it
BESIDE = {
    "optim_wrapper": {"constructor", "paramwise_cfg"},
    "model": {"requires_grad", "fallback_on_stride"},
}
# mappings of layers, which builders of their own take apart
OF_LAYERS = {"norm_cfg", "act_cfg", "conv_cfg", "upsample_cfg", "dcn"}
# mappings without a type: what reads them takes these keys and passes over others
OF_NAMES = {
    "clip_grad": {"type", "max_norm", "norm_type", "error_if_nonfinite", "foreach", "clip_value"},
    "paramwise_cfg": {
        "custom_keys",
        "bias_lr_mult",
        "bias_decay_mult",
        "norm_decay_mult",
        "flat_decay_mult",
        "dwconv_decay_mult",
        "dcn_offset_lr_mult",
        "bypass_duplicate",
    },
}
KINDS = {bool: "boolean", int: "number", float: "number", str: "text"}


def registry_of(kind: str) -> Registry | None:
    """Where a class is registered: with the models, or else anywhere; mmdet's own before its parents'."""
    from mmdet import registry

    from ..models.registered import register_all  # the models are slow to import

    register_all()
    others = [one for one in vars(registry).values() if isinstance(one, Registry)]
    others.sort(key=lambda one: one.scope != "mmdet")
    return next((one for one in (registry.MODELS, *others) if one.get(kind)), None)


def taken(node: Any) -> list[str]:
    """The arguments that the class named by a node's `type` takes; none if there is no such class."""
    kind = node.get("type") if isinstance(node, dict) else None
    registry = registry_of(kind) if isinstance(kind, str) else None
    if registry is None:
        return []
    found, _ = _parameters(registry.get(kind))
    return sorted(found.keys() | BESIDE.get(registry.name, set()))


def kinds_of(node: Any, name: str) -> set[str]:
    """The kinds of values that an argument of a node's class takes, as far as its signature says."""
    registry = registry_of(node["type"])
    if registry is None:
        return set()
    parameter = _parameters(registry.get(node["type"]))[0].get(name)
    if parameter is None:
        return set()
    if parameter.annotation is not inspect.Parameter.empty:
        return _kinds(parameter.annotation)
    default = parameter.default
    return {KINDS[type(default)]} if type(default) in KINDS else set()


def require_taken(cfg: Config, where: str) -> None:
    """Raise UserError for the first key of a class's mapping that its signature does not take."""
    for name in ("model", "train_dataloader", "test_dataloader", "optim_wrapper"):
        for key, node in _mappings(cfg[name], name):
            _require_names(where, key, node)


def _require_names(where: str, key: str, node: Mapping[str, Any]) -> None:
    last = key.rpartition(".")[2]
    known, open_ended = OF_NAMES.get(last), False
    kind = node.get("type")
    if known is None and isinstance(kind, str):
        registry = registry_of(kind)
        if registry is None:
            return
        found, open_ended = _parameters(registry.get(kind))
        known = {"type", "_scope_", *found, *BESIDE.get(registry.name, set())}
    if known is None or open_ended:
        return
    for name in node:
        if name not in known:
            of = (
                f"{kind} takes" if isinstance(kind, str) and last not in OF_NAMES else f"{last} has"
            )
            raise UserError(
                f"{where}: {key}.{name}: {of} no {name!r}; {choice(name, sorted(known))}"
            )


def _mappings(node: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All mappings below a node with their dotted keys, those of layers left out."""
    if isinstance(node, list | tuple):
        for number, item in enumerate(node):
            yield from _mappings(item, f"{key}.{number}")
    elif isinstance(node, dict):
        yield key, node
        for name, value in node.items():
            if name not in OF_LAYERS:
                yield from _mappings(value, f"{key}.{name}")


def _parameters(kind: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    """What a class takes by keyword, its bases' too as long as it hands on others; whether any name will do."""
    if not inspect.isclass(kind):
        return _of_function(kind)
    from torch import nn

    found: dict[str, inspect.Parameter] = {}
    hands_on = False
    for base in kind.__mro__:
        if base in (object, nn.Module):  # they take nothing
            return found, hands_on and base is object
        if "__init__" in vars(base):
            own, hands_on = _of_function(base.__init__)
            found = own | found
            if not hands_on:
                break
    return found, False


def _of_function(function: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    """The arguments of a function by keyword, with their annotations resolved, and whether it takes others."""
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that are there for type checkers alone
        hints = {}
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    found = {
        one.name: one.replace(annotation=hints.get(one.name, inspect.Parameter.empty))
        for one in parameters
        if one.kind in by_name and one.name != "self"
    }
    return found, any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)


def _kinds(annotation: Any) -> set[str]:
    """Kinds of YAML values among what an annotation allows; empty where it allows anything."""
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    found = {_kind(member) for member in members if member is not type(None)}
    return set() if None in found else found - {""}


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _kind(annotation: Any) -> str | None:
    """The kind of one type; "" of one that no file can hold; None of one that says nothing."""
    if annotation in KINDS:
        return KINDS[annotation]
    origin = typing.get_origin(annotation) or annotation
    if not inspect.isclass(origin):
        return None
    if issubclass(origin, Mapping | dict):
        return "mapping"
    if issubclass(origin, Sequence):
        return "list"
    return None if issubclass(str, origin) else ""
