"""The `options` of a catalogue entry: dotted keys of the config; each must exist and take effect."""

import difflib
from collections.abc import Iterable
from typing import Any

from mmengine.config import Config

from ..catalogue.trainings import Training
from ..core.errors import UserError
from ..core.schema import choice, shown
from .signatures import kinds_of, registry_of, taken

TRUTH = {
    **dict.fromkeys(("true", "yes", "on"), "true"),
    **dict.fromkeys(("false", "no", "off"), "false"),
    **dict.fromkeys(("null", "none"), "null"),
}


def set_options(cfg: Config, training: Training) -> None:
    """Set keys like model.roi_head.mask_flow_in_training.

    Whole mappings before keys inside them, a class before its arguments. Raises UserError for a key that
    nothing reads, a class that is not there, a value of another kind.
    """
    for key in sorted(
        training.options, key=lambda key: (key.count("."), not key.endswith(".type"))
    ):
        value, where = training.options[key], where_of(training, key)
        *parents, name = key.split(".")
        node: Any = cfg
        for part in parents:
            _require_mapping(where, node, part)
            if not _has(node, part):
                raise _unknown(training, key, part, _keys(node))
            node = node[part]
        _require_mapping(where, node, name)
        if not _has(node, name):
            names = taken(node)
            if name not in names:
                raise _unknown(training, key, name, [*_keys(node), *names])
            _require_kind(where, kinds_of(node, name), node["type"], value)
        elif name == "type":
            _require_class(where, node[name], value)
        else:
            _require_like(where, node[name], value)
        node[name] = value


def require_kept(cfg: Config, training: Training) -> None:
    """Raise UserError where the scale has overwritten an option; the network it may make smaller."""
    for key, wanted in training.options.items():
        found: Any = cfg
        for part in key.split("."):
            found = found[part] if _has(found, part) else None
        if found != wanted and not key.startswith("model."):
            raise UserError(
                f"{where_of(training, key)}: found {wanted!r}, but the scale sets it to {found!r}; "
                "remove it, or use a scale of your own"
            )


def where_of(training: Training, key: str) -> str:
    """The place of an option, for a message."""
    return f"{shown(training.catalogue)}: {training.id}: options: {key}"


def _require_mapping(where: str, node: Any, part: str) -> None:
    if not isinstance(node, dict | Config):
        raise UserError(
            f"{where}: {part!r} is inside a {_kind(node)}, expected a mapping there; set the whole of it"
        )


def _has(node: Any, name: str) -> bool:
    return isinstance(node, dict | Config) and name in node


def _keys(node: Any) -> list[str]:
    return list(node.keys()) if isinstance(node, dict | Config) else []


def _require_class(where: str, found: Any, wanted: Any) -> None:
    """The class takes another's place, so it is registered where that one is."""
    registry = registry_of(found) if isinstance(found, str) else None
    if registry is None or (isinstance(wanted, str) and registry.get(wanted)):
        return
    names = {name for one in (registry, registry.parent) if one for name in one.module_dict}
    close = difflib.get_close_matches(str(wanted), sorted(names), n=1)
    remedy = f" (did you mean {close[0]}?)" if close else "; name one of mmdet's, or of your `code`"
    raise UserError(f"{where}: no class {wanted!r} is registered{remedy}")


def _require_like(where: str, found: Any, wanted: Any) -> None:
    """The value may replace the other; null may replace anything."""
    if found is None:
        _require_unquoted(where, wanted)
    if found is None or wanted is None:
        return
    if not _alike(found, wanted):
        raise UserError(
            f"{where}: found {wanted!r}, a {_kind(wanted)}; expected a {_kind(found)}, as the {found!r} "
            "of the model"
        )
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in wanted:
            if key != "type":
                _require_like(f"{where}.{key}", found.get(key), wanted[key])
    if isinstance(found, dict) and isinstance(wanted, dict) and "type" in found:
        if "type" not in wanted:
            raise UserError(
                f"{where}: type: missing; expected a class, as the {found['type']} of the model"
            )
        _require_class(f"{where}: type", found["type"], wanted["type"])


def _require_kind(where: str, kinds: set[str], kind: str, wanted: Any) -> None:
    """The value is of a kind that the class takes for this argument, as far as its signature says."""
    own = _kind(wanted).partition(" ")[0]
    if kinds and wanted is not None and own not in kinds:
        raise UserError(
            f"{where}: found {wanted!r}, a {_kind(wanted)}; expected a {' or '.join(sorted(kinds))}, as {kind} "
            "takes"
        )
    if "text" not in kinds:
        _require_unquoted(where, wanted)


def _require_unquoted(where: str, wanted: Any) -> None:
    """No number or boolean in quotes, at any depth."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            _require_unquoted(f"{where}.{key}", value)
    elif isinstance(wanted, list | tuple):
        for value in wanted:
            _require_unquoted(where, value)
    elif isinstance(wanted, str) and (meant := _unquoted(wanted)) is not None:
        raise UserError(f"{where}: found {wanted!r}, a text; write {meant} without quotes")


def _unquoted(text: str) -> str | None:
    """How the number or truth value that a text holds is written; None of other texts."""
    try:
        number = float(text)
        return text if "e" not in text.lower() and "_" not in text else f"{number!r}"
    except ValueError:
        pass
    return TRUTH.get(text.lower())


def _alike(found: Any, wanted: Any) -> bool:
    """Of one kind, or what mmdet takes for it: several for one, one mapping or text for several."""
    several, own = isinstance(found, list | tuple), isinstance(wanted, list | tuple)
    if several and own:
        return not found or not wanted or _kinds(wanted) <= _kinds(found)
    if own:
        return not wanted or _kinds(wanted) == {_kind(found)}
    if several:
        return _kind(wanted) in ("mapping", "text") and _kinds(found) <= {_kind(wanted)}
    return _kind(found) == _kind(wanted)


def _kinds(values: Iterable[Any]) -> set[str]:
    return {_kind(value).partition(" ")[0] for value in values if value is not None}


def _kind(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"list of {' and '.join(sorted(f'{kind}s' for kind in _kinds(value))) or 'nothing'}"
    if isinstance(value, dict):
        return "mapping"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text"


def _unknown(training: Training, key: str, part: str, known: Iterable[str]) -> UserError:
    return UserError(
        f"{where_of(training, key)}: the config has no {part!r}; {choice(part, sorted(set(known)))}"
    )
