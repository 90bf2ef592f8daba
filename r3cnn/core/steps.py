"""How many optimiser steps an epoch has: one arithmetic for training, plan and status."""

import math
from typing import Any


def passes_a_step(batch: int, per_pass: int, processes: int) -> int:
    """Forward passes of a step: as many images as `batch` asks, whole passes, as many on each process."""
    wanted = max(1, batch // per_pass)
    return math.ceil(wanted / processes) * processes


def images_a_step(batch: int, per_pass: int, processes: int) -> int:
    """Images of a step."""
    return passes_a_step(batch, per_pass, processes) * per_pass


def steps_of_epoch(passes: int, per_step: int) -> int:
    """Steps of an epoch; the last one may take fewer passes, or images if both are counted in images."""
    return math.ceil(passes / per_step)


def trained_images(train: dict[str, Any]) -> int:
    """Images of an epoch, of data.json's `train`; of a file of version 0.1 those with an object."""
    return int(
        train.get("trained_images") or train["image_count"] - train["images_without_objects"]
    )
