"""The steps of a model's pipelines at the image size of a scale."""

from collections.abc import Sequence
from typing import Any

from mmengine.config import ConfigDict

from ..core.errors import UserError

SIZES = {"Resize": "scale", "RandomResize": "scale", "RandomChoiceResize": "scales"}
# steps that state a size in pixels, which no rule makes smaller
FIXED = {
    "FixScaleResize": "scale", "FixShapeResize": "width", "RandomCrop": "crop_size", "Pad": "size",
    "RandomCenterCropPad": "crop_size", "Mosaic": "img_scale", "CachedMosaic": "img_scale",
    "MixUp": "img_scale", "CachedMixUp": "img_scale", "CutOut": "cutout_shape",
}  # fmt: skip
FILES = {"type", "backend_args", "file_client_args"}


def kind_of(step: ConfigDict) -> str:
    """A step's class without its scope."""
    return str(step.type).rpartition(".")[2]


def full_size(pipeline: Sequence[ConfigDict]) -> tuple[int, int] | None:
    """The longest and the shortest side that a model was made for: those of its test pipeline's Resize."""
    sizes = [step.get("scale") for step in pipeline if kind_of(step) == "Resize"]
    found = next((size for size in sizes if isinstance(size, list | tuple)), None)
    return (max(found), min(found)) if found else None


def fit(
    pipeline: Sequence[ConfigDict],
    full: tuple[int, int] | None,
    images: tuple[int, int],
    where: str,
) -> None:
    """Set the sizes of all steps for images of a scale, and let LoadCheckedImage read them.

    A Resize gets the scale's size, the sizes of one that chooses among several become smaller as it does
    (full: what they were made for). Raises UserError for a size that has no rule.
    """
    for number, step in enumerate(pipeline):
        kind, at = kind_of(step), f"{where}.{number}"
        if kind == "LoadImageFromFile":
            _require_plain(step, at)
            step.clear()
            step.type = "LoadCheckedImage"
        elif kind == "Resize":
            step.scale = tuple(images)
        elif kind in SIZES:
            step[SIZES[kind]] = _smaller(step.get(SIZES[kind]), full, images, f"{at}: {kind}")
        elif step.get(FIXED.get(kind, "")) is not None and full != (max(images), min(images)):
            raise UserError(
                f"{at}: {kind}.{FIXED[kind]}: found {step[FIXED[kind]]!r} pixels, but the scale's images are "
                f"{list(images)}; remove the step, or use a scale with the images of the model, {list(full or ())}"
            )


def _require_plain(step: ConfigDict, where: str) -> None:
    other = sorted(step.keys() - FILES)
    if other:
        raise UserError(
            f"{where}: LoadImageFromFile: {other[0]}: nothing reads it, images are read as uint8 in BGR; remove it"
        )


def _smaller(sizes: Any, full: tuple[int, int] | None, images: tuple[int, int], where: str) -> Any:
    if full is None or not isinstance(sizes, list | tuple):
        raise UserError(f"{where}: expected sizes, and a Resize with a size in the test pipeline")
    if sizes and not isinstance(sizes[0], list | tuple):
        return _smaller([sizes], full, images, where)[0]
    longest, shortest = max(images) / full[0], min(images) / full[1]
    return [(round(max(size) * longest), round(min(size) * shortest)) for size in sizes]
