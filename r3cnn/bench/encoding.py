"""The masks of an image's detections as run lengths: what `predict` does on the host for each image and L_e."""

import time
from collections.abc import Callable

import numpy as np
import torch
from pycocotools import mask as rle
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..core.errors import UserError
from ..evaluation.predictions import encoded, runs_on_device
from .made_up import HEIGHT, SIDES, WIDTH
from .timing import ratio

DETECTIONS = 100  # the most of an image that mmdet's test_cfg keeps


class OnDevice(TorchDispatchMode):
    """Seconds in torch's operators: on a GPU they are the device's, here they are the processor's."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __torch_dispatch__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        begin = time.perf_counter()
        found = func(*args, **(kwargs or {}))
        self.seconds += time.perf_counter() - begin
        return found


def host(rounds: int = 15, detections: int = DETECTIONS) -> dict:
    """The host's part where the runs are found on the device, over mask by mask on the host, in turn.

    Always measured on the CPU: the host's part is the seconds outside of torch's operators, without the copy
    from a device. Raises UserError if the ways disagree.
    """
    masks = ellipses(detections)
    with OnDevice():  # its first use imports what it needs
        found = runs_on_device(masks.transpose(1, 2))
    if not found == mask_by_mask(masks) == encoded(masks):
        raise UserError("predict-host: two ways of encoding a mask disagree; please report this")
    times: dict[str, dict] = {name: {"seconds": []} for name in ("on the device", "mask by mask")}
    for _ in range(rounds):
        begin, device = time.perf_counter(), OnDevice()
        with device:
            runs_on_device(masks.transpose(1, 2))
        seconds = time.perf_counter() - begin - device.seconds
        times["on the device"]["seconds"].append(round(seconds, 6))
        begin = time.perf_counter()
        mask_by_mask(masks)
        times["mask by mask"]["seconds"].append(round(time.perf_counter() - begin, 6))
    return {
        "what": f"host's share of {detections} masks' run lengths, {WIDTH}x{HEIGHT}, found on a device",
        "against": "mask by mask on the host, each copied to Fortran order",
        "aim": 0.1,
        "ratio": ratio(times, "on the device", "mask by mask"),
        "times": times,
    }


def mask_by_mask(masks: Tensor) -> list[dict]:
    """Run lengths as mmdet makes them."""
    return [rle.encode(np.asfortranarray(mask)) for mask in masks.numpy()]


def ellipses(count: int) -> Tensor:
    """Masks (count, height, width) of COCO's usual image size, of small and large objects."""
    noise = np.random.default_rng(0)
    half = np.exp(noise.uniform(*np.log(SIDES), (count, 2)))[:, :, None, None] / 2
    centre = (noise.random((count, 2)) * (WIDTH, HEIGHT))[:, :, None, None]
    x, y = np.arange(WIDTH)[None, None, :], np.arange(HEIGHT)[None, :, None]
    inside = ((x - centre[:, 0]) / half[:, 0]) ** 2 + ((y - centre[:, 1]) / half[:, 1]) ** 2 < 1
    return torch.from_numpy(inside)
