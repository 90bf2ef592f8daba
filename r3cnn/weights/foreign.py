"""Read external checkpoints: the weights, whose naming scheme they use, and their classes."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UserError

log = logging.getLogger(__name__)
SHOWN = 3
# where mmengine, Detectron2, Lightning and others keep the weights
PLACES = (
    "state_dict",
    "model",
    "model_state_dict",
    "model_state",
    "weights",
    "net",
    "network",
    "ema_state_dict",
)
# what wrappers put before every name: DDP, torch.compile, a Lightning module, mmengine's averaged model
WRAPPERS = ("module.", "_orig_mod.", "model.", "detector.", "net.", "ema_model.", "ema.")
AVERAGED = ("ema_", "ema.")  # copies next to the weights, as mmdet 2's hook keeps them
STATISTICS = {"data_preprocessor.mean": "mean", "data_preprocessor.std": "std"}
# names that tell whose weights they are
STRANGERS = {
    "Detectron2's": ("backbone.bottom_up.", "proposal_generator.", "roi_heads.box_predictor."),
    "torchvision's": ("backbone.body.", "rpn.head.", "roi_heads.box_head."),
    "mmdet 1's": ("bbox_head.fc_cls.", "mask_head.conv_logits."),
}


def tensors_of(source: object, content: Any) -> dict[str, Tensor]:
    """The named tensors of a checkpoint's content under mmdet's names; what was taken off is logged.

    Raises UserError if there are none, or they are known to be another library's.
    """
    _tell_of_averaged(source, content)
    for place in PLACES:
        if isinstance(content, Mapping) and isinstance(content.get(place), Mapping):
            content = content[place]
    items = content.items() if isinstance(content, Mapping) else ()
    named = {name: value for name, value in items if isinstance(name, str)}
    _require_mmdets(source, named)
    found = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    if not found:
        raise UserError(
            f"{source}: no tensors by name found, expected a state dict or a checkpoint that holds one "
            f"under {' or '.join(PLACES[:2])}; export its state dict first"
        )
    return _without_copies(source, _unwrapped(source, found))


def _tell_of_averaged(source: object, content: Any) -> None:
    if isinstance(content, Mapping) and {"state_dict", "ema_state_dict"} <= content.keys():
        log.warning(
            "%s: holds weights twice, as mmengine's EMAHook writes them; state_dict, the averaged ones, is taken",
            source,
        )


def _require_mmdets(source: object, named: Iterable[str]) -> None:
    bare = [_bare(name) for name in named]
    for whose, beginnings in STRANGERS.items():
        own = next((name for name in bare if name.startswith(beginnings)), None)
        if own is not None:
            raise UserError(
                f"{source}: {own}: weights under {whose} names, expected mmdet's (such as backbone.conv1.weight, "
                "roi_head.bbox_head.fc_cls.weight); convert them to mmdet's names first"
            )


def _bare(name: str) -> str:
    """A name without the wrappers before it."""
    prefix = next((one for one in WRAPPERS if name.startswith(one)), None)
    return name if prefix is None else _bare(name.removeprefix(prefix))


def _unwrapped(source: object, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without a prefix that all of them bear, averaged copies and counters aside."""
    for prefix in WRAPPERS:
        bearing = [name for name in found if name.startswith(prefix)]
        others = [n for n in found if not n.startswith(prefix) and not _is_beside(n)]
        if bearing and not others:
            log.warning("%s: %r taken off the names of %d tensors", source, prefix, len(bearing))
            kept = {name.removeprefix(prefix): value for name, value in found.items()}
            return _unwrapped(source, kept)
    return found


def _is_beside(name: str) -> bool:
    return name.startswith(AVERAGED) or name in ("steps", "n_averaged")


def _without_copies(source: object, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without averaged copies of them, and without the preprocessor's statistics."""
    beside = [name for name in found if _is_beside(name)]
    if beside and len(beside) < len(found):
        log.warning(
            "%s: %d averaged or counted tensors left out (such as %s); the other weights are used",
            source, len(beside), beside[0],
        )  # fmt: skip
        found = {name: value for name, value in found.items() if name not in beside}
    return found


def without_statistics(
    source: object, found: Mapping[str, Tensor], preprocessor: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The tensors without the pictures' mean and standard deviation, which the config states.

    Raises UserError where the checkpoint was trained with others than `preprocessor` (the config's).
    """
    for name, key in STATISTICS.items():
        if name not in found:
            continue
        theirs = [round(value, 3) for value in found[name].flatten().tolist()]
        mine = [round(float(value), 3) for value in preprocessor.get(key, ())]
        if theirs != mine:
            raise UserError(
                f"{source}: {name}: found {theirs}, but the config's model.data_preprocessor.{key} is {mine}; "
                f"set {key} to the checkpoint's values in the catalogue's `options`"
            )
        log.warning("%s: %s left out; it is the config's", source, name)
    return {name: value for name, value in found.items() if name not in STATISTICS}


def require_finite(source: object, found: Mapping[str, Any]) -> None:
    """Raise UserError with the names of tensors that hold NaN or infinities."""
    bad = [n for n, v in found.items() if isinstance(v, Tensor) and not torch.isfinite(v).all()]
    if bad:
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise UserError(
            f"{source}: {', '.join(bad[:SHOWN])}{more}: not finite; the training diverged: use an earlier "
            "checkpoint of it"
        )


def classes_in(content: Any) -> tuple[str, ...] | None:
    """The classes that a checkpoint says it is for, in the order of its labels; None where it does not say."""
    meta = content.get("meta") if isinstance(content, Mapping) else None
    if not isinstance(meta, Mapping):
        return None
    for place in (meta.get("dataset_meta"), meta):
        for key in ("classes", "CLASSES"):
            found = place.get(key) if isinstance(place, Mapping) else None
            if isinstance(found, str):
                return (found,)
            if isinstance(found, Sequence) and found:
                return tuple(str(name) for name in found)
    return None


def require_classes(source: object, content: Any, own: Callable[[], Sequence[str]]) -> None:
    """Raise UserError where a checkpoint's labels mean other classes than the data's (`own()`)."""
    theirs = classes_in(content)
    mine = tuple(own()) if theirs is not None else ()
    if theirs is None or theirs == mine:
        return
    number = next(
        (i for i, pair in enumerate(zip(theirs, mine, strict=False)) if pair[0] != pair[1]), None
    )
    if number is None:
        found = f"{len(theirs)} classes found, the data has {len(mine)}"
    else:
        found = f"label {number} means {theirs[number]!r} there and {mine[number]!r} in the data"
    order = (
        "the same classes in another order" if sorted(theirs) == sorted(mine) else "other classes"
    )
    raise UserError(
        f"{source}: {order}: {found}; number the data's categories in the checkpoint's order "
        f"({_listed(theirs)}), or take a checkpoint that was trained on these"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
