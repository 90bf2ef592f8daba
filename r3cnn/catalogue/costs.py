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
COCO_IMAGES = 117_266  # of train2017 with an object
COCO_VAL_IMAGES = 5000
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
    checked = RunFolder(results).data
    if checked.is_file():
        try:
            return scale.images_of_epoch(trained_images(read_json(checked)["splits"]["train"]))
        except (AttributeError, KeyError, TypeError) as error:
            raise UserError(
                f"{checked}: splits.train: found no counts of images; make it with `python -m r3cnn data check`"
            ) from error
    shapes = scale.data.get("shapes")
    return scale.images_of_epoch(shapes["train"] if shapes else COCO_IMAGES)


def job_cost(
    command: str, training: Training | None, scale: Scale, images: int, each: float
) -> float:
    """Cost of a job that runs a command of `r3cnn`, in training images of Mask R-CNN.

    images: of an epoch. each: the training's relative cost.
    """
    if training is None or command not in ("train", "predict"):
        return PROCESS
    if command == "predict":
        shapes = scale.data.get("shapes")
        return PROCESS + PREDICTED * each * (shapes["val"] if shapes else COCO_VAL_IMAGES)
    return PROCESS + each * images * float(scale.schedule(training.schedule)["epochs"])
