"""How many objects of a training set reach the loss: its pipeline may read fewer than the data set holds."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from torch.utils.data import Dataset

from ..core.errors import UserError
from .content import some

logger = logging.getLogger(__name__)


def require_objects(dataset: Dataset, file: Path | str) -> None:
    """Say how many objects of a training set are learnt. Raises UserError if none is.

    Where `poly2mask` is off, mmdet's LoadAnnotations turns masks of run lengths into regions to ignore.
    """
    loaders = list(_loaders_of_masks(dataset))
    objects, unreadable = 0, Counter()
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        there = [one for one in info["instances"] if not one["ignore_flag"]]
        readable = there
        for loader in loaders:  # marks what it cannot read
            loader._process_masks({"instances": there})
            readable = [one for one in there if not one["ignore_flag"]]
        objects += len(readable)
        if len(readable) < len(there):
            unreadable[info["img_id"]] += len(there) - len(readable)
    logger.info("%s: %d objects in %d images to train on", file, objects, len(dataset))
    lost = unreadable.total()
    what = (
        f"{lost} objects whose masks this model's LoadAnnotations cannot read (images "
        f"{some(unreadable)}); with poly2mask=False it reads polygons alone, and ignores run lengths"
    )
    if not objects:
        reason = f"none of {what}; set poly2mask=True or convert them" if lost else "none there"
        raise UserError(
            f"{file}: no object to train on: {reason}; check the data, and the model's pipeline"
        )
    if lost:
        logger.warning("%s: left out of the training: %s", file, what)


def _loaders_of_masks(dataset: Dataset) -> Iterator[object]:
    """The steps of its pipeline that read masks otherwise than by default, also of a data set within."""
    for inner in (getattr(dataset, "dataset", None), *getattr(dataset, "datasets", ())):
        if inner is not None:
            yield from _loaders_of_masks(inner)
    for step in getattr(getattr(dataset, "pipeline", None), "transforms", ()):
        if getattr(step, "with_mask", False) and not getattr(step, "poly2mask", True):
            yield step
