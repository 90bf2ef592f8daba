"""Rows of the training step: naive against HTC, IoU counting against none and against host lists."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ..training.iou_histogram import BINS, IoUHistogram
from .models import Images, Step, config, sample_fewer
from .timing import in_turn, row

BOXES, SAMPLED_BOXES = 2000, 512  # what one assignment of one image counts at scale `paper`


def naive(rounds: int = 3, images: Images | None = None, scale: str = "paper") -> dict:
    """A step of R3 naive over one of mmdet's own HTC: same backbone, same images, as many RoIs."""
    images = images or Images(320, 256, 2)
    own, htc = (sample_fewer(config(id_, images, scale)) for id_ in ("r3_naive_inc", "htc"))
    htc.model.roi_head.type = "HybridTaskCascadeRoIHead"
    times = in_turn({"naive": Step(own, counted=False), "htc": Step(htc, counted=False)}, rounds)
    return row("training step, R3 naive", "mmdet's own HTC", times, aim=0.95)


def counting(rounds: int = 5, images: Images | None = None, scale: str = "paper") -> dict:
    """A step with IoU counting over one without; next to it the counting's own seconds in a step."""
    images = images or Images(320, 256, 2)
    cfg = sample_fewer(config("r3_naive_inc", images, scale))
    counted, spent = watched(Step(cfg))
    ways = {"counted": counted, "uncounted": Step(cfg, counted=False)}
    times = in_turn(ways, rounds)
    own = statistics.median(spent[-rounds:])
    return row("training step with IoU counting", "without", times, aim=1.01) | {
        "counting_seconds": own,
        "counting_of_a_step": own / statistics.median(times["uncounted"]["seconds"]),
    }


def watched(step: Step) -> tuple[Callable[[], None], list[float]]:
    """A step, and the seconds that its counting calls took each time it ran.

    On a GPU those of asking for it: the step does not wait for the counting.
    """
    histogram, spent = step.taps.histogram, []
    add = histogram.add_sampling

    def add_watched(*given: object) -> None:
        begin = time.perf_counter()
        add(*given)
        spent[-1] += time.perf_counter() - begin

    def run() -> None:
        spent.append(0.0)
        step()

    histogram.add_sampling = add_watched
    return run, spent


def host_lists(rounds: int = 5, times: int = 200) -> dict:
    """The counting alone, on the device, over lists kept on the host by each assignment."""
    draw = torch.Generator().manual_seed(0)
    boxes = torch.rand(BOXES, generator=draw)
    chosen = torch.randperm(BOXES, generator=draw)[:SAMPLED_BOXES]
    if torch.cuda.is_available():
        boxes, chosen = boxes.cuda(), chosen.cuda()
    pos, neg = chosen[:128], chosen[128:]
    histogram = IoUHistogram(1, 1, boxes.device)
    on_host: list[float] = []

    def on_device() -> None:
        for _ in range(times):
            histogram.add_sampling(0, 0, boxes, boxes, pos, neg)

    def as_lists() -> None:
        on_host.clear()
        for _ in range(times):
            extend_lists(on_host, boxes)
        bin_lists(on_host)

    found = in_turn({"on the device": on_device, "host lists": as_lists}, rounds)
    result = row(
        f"counting {BOXES} IoUs of an assignment, all views",
        "lists on the host, candidates alone",
        found,
    )
    return result | {"host_lists_cost_times": 1 / result["ratio"]}


def extend_lists(lists: list[float], iou: Tensor) -> None:
    """What the authors' code does in each assign call: every IoU to the host, into a list."""
    lists.extend(iou.cpu().tolist())


def bin_lists(lists: list[float]) -> list[int]:
    """The lists as a histogram, at the end."""
    return torch.histc(torch.tensor(lists), BINS, 0, 1).long().tolist()
