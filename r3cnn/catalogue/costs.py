"""What a training costs compared with the others, by the recorded measurements."""

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.errors import UserError
from ..core.files import read_json
from ..core.layout import EXPERIMENTS, PACKAGE, RunFolder
from ..core.schema import read_checked
from ..core.steps import trained_images
from .scales import Scale
from .trainings import Training

COSTS = EXPERIMENTS / "costs.yaml"
COSTS_SCHEMA = PACKAGE / "catalogue" / "schemas" / "costs.schema.yaml"
REFERENCE = "mask_1x"
PAPER_GPUS = 8  # of one training
CHECKPOINTS = 4  # of each training: two that live, one being written, one published
COCO_IMAGES = {"train": 117_266, "val": 5000}  # of train2017 those with an object
# Rough, by Mask R-CNN's jobs on two cores; they only weigh the share of a run that is done.
PREDICTED = 0.5  # an image that is predicted, of one that is trained on (scale mini)
PROCESS = 50.0  # the start of a process, and a job without a network (scale quick)


def measured_as(id_: str, known: Iterable[str], same: dict[str, str]) -> str:
    """The training whose measurement stands for this one's."""
    return id_ if id_ in known else same.get(id_, id_)


def relative_costs(trainings: Iterable[Training]) -> dict[str, float]:
    """Cost of an image of each training, Mask R-CNN's being 1; of one that was not measured the median.

    Good enough for the share of a run that is done; `r3cnn estimate` asks for a measurement of each.
    """
    content: dict[str, Any] = read_checked(COSTS, COSTS_SCHEMA)
    seconds, same = content["relative"]["seconds"], content.get("same", {})
    unit = seconds[REFERENCE]
    median = statistics.median(seconds.values())
    return {t.id: seconds.get(measured_as(t.id, seconds, same), median) / unit for t in trainings}


def training_images(scale: Scale, results: Path) -> int:
    """Images of an epoch: of the checked data, else as many as the scale or COCO has with an object.

    Raises UserError for a data.json without counts of images.
    """
    train = _split(scale, results, "train")
    if not isinstance(train, dict):
        return scale.images_of_epoch(train)
    try:
        return scale.images_of_epoch(trained_images(train))
    except (KeyError, TypeError) as error:
        raise _uncounted(results, "train") from error


def validation_images(scale: Scale, results: Path) -> int:
    """Images that are predicted: of the checked data, else as many as the scale or COCO has.

    Raises UserError for a data.json without counts of images.
    """
    val = _split(scale, results, "val")
    count = val.get("image_count") if isinstance(val, dict) else val
    if not isinstance(count, int):
        raise _uncounted(results, "val")
    return count


def _split(scale: Scale, results: Path, split: str) -> dict[str, Any] | int:
    """What data.json says of a split; before the check, how many images the scale or COCO has."""
    checked = RunFolder(results).data
    if not checked.is_file():
        return int(scale.data["shapes"][split] if "shapes" in scale.data else COCO_IMAGES[split])
    found = read_json(checked).get("splits")
    if not isinstance(found, dict) or not isinstance(found.get(split), dict):
        raise _uncounted(results, split)
    return dict(found[split])


def _uncounted(results: Path, split: str) -> UserError:
    return UserError(
        f"{RunFolder(results).data}: splits.{split}: found no counts of images; make it with "
        "`python -m r3cnn data check`"
    )


def job_cost(
    command: str, training: Training | None, scale: Scale, images: dict[str, int], each: float
) -> float:
    """Cost of a job that runs a command of `r3cnn`, in training images of Mask R-CNN.

    images: `train`, those of an epoch, and `val`. each: the training's relative cost.
    """
    if training is None or command not in ("train", "predict"):
        return PROCESS
    if command == "predict":
        return PROCESS + PREDICTED * each * images["val"]
    return PROCESS + each * images["train"] * float(scale.schedule(training.schedule)["epochs"])
