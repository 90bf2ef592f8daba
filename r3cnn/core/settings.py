"""The settings of Snakemake's --config, as typed."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from .errors import UserError
from .schema import choice

NUMBERS = ("seeds",)  # a whole number or a list of them says what was meant


def texts(config: Mapping[str, Any], typed: Iterable[str] | None) -> dict[str, str | None]:
    """Each setting as text; None where a file of settings says null.

    config: what Snakemake made of them (2024_02 into the number 202402); typed: its `key=value` arguments.
    Raises UserError for one that is empty, given twice, or that a file of settings does not give as text.
    """
    given: dict[str, str] = {}
    for argument in typed or ():
        key, _, value = argument.partition("=")
        if re.fullmatch(r"""".*"|'.*'""", value):
            value = _unquoted(value)
        if not value:
            raise UserError(
                f"--config {key}: found nothing after the =; write a value or remove it"
            )
        if given.setdefault(key, value) != value:
            raise UserError(f"--config {key}: given twice, {given[key]} and {value}; remove one")
    return {key: given[key] if key in given else _text(key, config[key]) for key in config}


def _unquoted(value: str) -> str:
    """The text in quotes as Snakemake reads it, by YAML's rules: so it quotes the settings of its own jobs."""
    try:
        return str(yaml.load(value, Loader=yaml.BaseLoader))
    except yaml.YAMLError:
        return value


def require_one(arguments: Sequence[str]) -> None:
    """Raise UserError where a command says --config more than once: Snakemake keeps the last one alone."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if sum(one in ("--config", "-C") or one.startswith("--config=") for one in before) > 1:
        raise UserError(
            "--config: appears more than once, but only the last one counts; write all settings after one "
            "--config, such as --config scale=mini data=DIR"
        )


def require_own_targets(targets: Iterable[str], results: str, own: str) -> None:
    """Raise UserError for a file that a command asks for and that is in the results of other settings.

    results: the folder of all results; own: that of the settings of this run, below it.
    """
    for target in map(os.path.normpath, targets):
        below = target.startswith(f"{results}/")
        if (
            below
            and target.count("/") > results.count("/") + 1
            and not target.startswith(f"{own}/")
        ):
            raise UserError(
                f"{target}: this run's results are in {own}; to make this file, give the settings of its "
                "folder, such as --config scale=smoke"
            )


def require_known_targets(targets: Iterable[str], rules: Iterable[str]) -> None:
    """Raise UserError for a target that is neither a rule nor, by its slash or suffix, a file."""
    known = list(rules)
    for target in targets:
        if target not in known and "/" not in target and "." not in target:
            raise UserError(f"{target}: neither a rule nor a file; {choice(target, known)}")


def _text(key: str, value: Any) -> str | None:
    """A setting of a file, which YAML has read."""
    if value is None or isinstance(value, str):
        return value
    if key in NUMBERS:
        several = value if isinstance(value, list | tuple) else [value]
        if all(isinstance(one, int) and not isinstance(one, bool) for one in several):
            return ",".join(map(str, several))
    raise UserError(f"config: {key}: found {value!r}, expected text; put it in quotes")
