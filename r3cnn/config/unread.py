"""Keys of the user's own model file, or of `options`, that nothing reads or that the scale replaces.

What would change the training or its APs is refused, the rest is counted in a warning.
"""

import ast
import difflib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..core.errors import UserError
from ..core.schema import shown

log = logging.getLogger(__name__)
READ = {"model", "train_dataloader", "test_dataloader", "optim_wrapper", "custom_imports"}
# also read, or compared with what the scale makes of them
COMPARED = {"train_cfg", "param_scheduler", "auto_scale_lr", "randomness"}
_SCALE = "a scale's `schedules` and the catalogue's `schedule` say how long is trained"
_MMDET_2 = "a key of mmdet 2; write"
WITHOUT_EFFECT = {
    "optimizer": f"{_MMDET_2} optim_wrapper = dict(optimizer=dict(...)); the scale says `lr`",
    "optimizer_config": f"{_MMDET_2} optim_wrapper = dict(clip_grad=dict(...))",
    "lr_config": "a key of mmdet 2; remove it: a scale's `warmup` and `schedules` say the rate",
    "momentum_config": "a key of mmdet 2; remove it",
    "runner": f"a key of mmdet 2; remove it: {_SCALE}",
    "total_epochs": f"a key of mmdet 2; remove it: {_SCALE}",
    "max_epochs": f"remove it: {_SCALE}",
    "data": f"{_MMDET_2} train_dataloader and test_dataloader; --data says which images",
    "fp16": f"{_MMDET_2} optim_wrapper = dict(type='AmpOptimWrapper')",
    "resume_from": "a key of mmdet 2; remove it: a training resumes by itself",
    "img_norm_cfg": f"{_MMDET_2} model = dict(data_preprocessor=dict(mean=..., std=...))",
    "custom_hooks": "no hook of mmengine runs here; remove it (custom_hooks = [])",
    "load_from": "name a checkpoint as `weights` in the catalogue; remove it (load_from = None)",
    "resume": "a training resumes by itself; remove it (resume = False)",
    "model_wrapper_cfg": "remove it",
    "train_pipeline": "set train_dataloader = dict(dataset=dict(pipeline=train_pipeline)), too",
    "test_pipeline": "set test_dataloader = dict(dataset=dict(pipeline=test_pipeline)), too",
    "metainfo": "the data's categories are the classes; remove it",
    "classes": "the data's categories are the classes; remove it",
}
# replaced by the command line or of no effect on results
SAID = (
    "train_dataloader.dataset.",
    "train_dataloader.num_workers",
    "train_dataloader.persistent_workers",
    "test_dataloader.",
    "auto_scale_lr.",
    "randomness.",
    "train_cfg.type",
    "train_cfg.val_interval",
)


def require_read(cfg: Config, files: Sequence[Path], options: Mapping[str, str]) -> None:
    """Refuse, or warn of, keys without effect. cfg: as the files and options make it, before the scale's part.

    files: the user's own model file and its own bases; options: dotted keys and where each stands.
    """
    silent: dict[str, list[str]] = {}
    bad: dict[str, list[str]] = {}
    for where, name in _given(files, options):
        if name in WITHOUT_EFFECT:
            if cfg.get(name):
                bad.setdefault(where, []).append(name)
        elif close := difflib.get_close_matches(name, READ, n=1, cutoff=0.8):
            raise UserError(f"{where}: {name}: nothing reads it (did you mean {close[0]}?)")
        else:
            silent.setdefault(where, []).append(name)
    for where, names in bad.items():
        remedy = (
            f"{names[0]} is {WITHOUT_EFFECT[names[0]]}"
            if _is_old(names[0])
            else WITHOUT_EFFECT[names[0]]
        )
        raise UserError(f"{where}: nothing reads {', '.join(names)}; {remedy}")
    for where, names in silent.items():
        log.warning("%s: nothing reads %d keys: %s", where, len(names), ", ".join(names))


def require_no_hooks(cfg: Config, file: Path) -> None:
    """Refuse what a base of mmdet's sets and nothing reads."""
    for name in ("custom_hooks", "load_from"):
        if cfg.get(name):
            raise UserError(f"{shown(file)}: {name}: its base sets it; {WITHOUT_EFFECT[name]}")


def _is_old(name: str) -> bool:
    return WITHOUT_EFFECT[name].startswith("a key of")


def _given(files: Sequence[Path], options: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Top-level keys that are not read, with where they stand; helpers that a file uses itself left out."""
    known = READ | COMPARED | {"_base_"}
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        used = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        for name in _stated(tree):
            helper = name in used or f"_base_.{name}" in text or name.startswith("_")
            if "." not in name and name not in known and not helper:
                yield shown(file), name
    for key, where in options.items():
        if (name := key.partition(".")[0]) not in known:
            yield where, name


def require_not_replaced(before: Config, after: Config, files: Sequence[Path]) -> None:
    """Refuse, or warn of, values of the user's own files that the scale or the data have replaced."""
    replaced: dict[str, list[str]] = {}
    for file in files:
        for key in _stated(ast.parse(file.read_text(encoding="utf-8"))):
            wanted, found = _at(before, key), _at(after, key)
            leaf = wanted is not None and not isinstance(wanted, dict)
            if not leaf or _plain(wanted) == _plain(found) or _is_the_scales(key):
                continue
            if key.startswith(SAID) and not key.endswith(".classes"):
                replaced.setdefault(shown(file), []).append(key)
            else:
                raise UserError(
                    f"{shown(file)}: {key}: found {_short(wanted)}, but the scale or the data sets it to "
                    f"{_short(found)}; remove it, or use a scale of your own"
                )
    for where, keys in replaced.items():
        log.warning(
            "%s: %d keys replaced by --data and the scale: %s", where, len(keys), ", ".join(keys)
        )


def _is_the_scales(key: str) -> bool:
    """Network sizes and pipelines: one rule of the scale for all models, which says what it cannot do."""
    return (
        key.startswith("model.")
        or ".pipeline" in key
        or key.partition(".")[0] not in READ | COMPARED
    )


def _stated(tree: ast.Module) -> list[str]:
    """Dotted keys that a config assigns, those inside of dict(...) and {...} too."""
    found = []
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        for name in (target.id for target in targets if isinstance(target, ast.Name)):
            found += [name, *(f"{name}.{key}" for key in _inside(node.value))]
    return found


def _inside(value: ast.expr) -> Iterator[str]:
    pairs: list[tuple[str, ast.expr]] = []
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
        pairs = [(one.arg, one.value) for one in value.keywords if one.arg]
    elif isinstance(value, ast.Dict):
        pairs = [
            (str(key.value), item)
            for key, item in zip(value.keys, value.values, strict=True)
            if isinstance(key, ast.Constant)
        ]
    for key, item in pairs:
        yield key
        yield from (f"{key}.{inner}" for inner in _inside(item))


def _at(node: Any, key: str) -> Any:
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict | Config) else None
    return node


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def _short(value: Any) -> str:
    text = repr(_plain(value))
    return text if len(text) <= 80 else text[:77] + "..."
