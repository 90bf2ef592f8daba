"""Cost of a model: parameters, checkpoint size, speed and memory."""

import logging
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import nn
from torch.utils.data import DataLoader

from ..core import provenance
from ..core.files import write_json
from ..core.records import Latency, Speed
from ..data.loading import build_dataset, collate
from ..evaluation.predict import predict_batch
from ..weights import device
from ..weights.loading import load_detector
from ..weights.size import GIB, checkpoint_size, parameters
from .multiply_adds import multiply_adds

log = logging.getLogger(__name__)
IMAGES, IMAGES_ON_A_GPU = 8, 64  # that are timed, at most


@torch.no_grad()
def speed(
    cfg: Config, weights: Path, loops: Sequence[int], images: int | None = None
) -> dict[str, Speed]:
    """Images a second for each L_e on its own, the median over validation images one by one, and the latency.

    From the loaded image on the host to boxes and pasted masks; loading and run-length coding left out.
    """
    detector = load_detector(cfg, weights)
    loader = DataLoader(build_dataset(cfg.test_dataloader), collate_fn=collate)
    few = IMAGES_ON_A_GPU if torch.cuda.is_available() else IMAGES
    batches = list(islice(loader, images or few))
    found = {}
    for n in loops:
        _time(detector, batches[0], n)  # warm-up
        seconds = [_time(detector, data, n) for data in batches]
        rate = 1 / statistics.median(seconds)
        found[str(n)] = Speed(
            images_per_second=round(rate, 3), images=len(batches), latency_seconds=latency(seconds)
        )
    return found


def latency(seconds: Sequence[float]) -> Latency:
    """Mean, median and 95th percentile of the seconds of single images, to 0.1 ms."""
    p50, p95 = (round(float(value), 4) for value in np.percentile(seconds, (50, 95)))
    return {"mean": round(statistics.fmean(seconds), 4), "p50": p50, "p95": p95}


def _time(detector: nn.Module, data: dict, loops: int) -> float:
    _wait()
    begin = time.perf_counter()
    predict_batch(detector, data, [loops])
    _wait()
    return time.perf_counter() - begin


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def training_memory(cfg: Config, steps: int = 2) -> dict:
    """Peak memory of a few training steps on this machine's device, in GiB.

    On a GPU the tensors' peak, as the paper's column; on a CPU the process's peak resident size.
    """
    from ..training.trainer import Trainer

    with tempfile.TemporaryDirectory() as state:
        trainer = Trainer(cfg, Path(state))
        trainer.run_steps(steps)
    if torch.cuda.is_available():
        return {
            "training_gib": round(torch.cuda.max_memory_allocated() / GIB, 3),
            "how": f"peak of allocated GPU memory, {trainer.per_pass} images a pass",
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "training_gib": round(peak / GIB, 3),
        "how": f"peak resident memory of the process, {trainer.per_pass} images a pass",
    }


def _has_training_images(cfg: Config) -> bool:
    """Not where the validation images alone were checked, as given weights need no others."""
    return cfg.r3cnn.data is None or "train_images" in cfg.r3cnn.data


def measure(
    training: str,
    paper: Config,
    out: Path,
    cfg: Config | None = None,
    weights: Path | None = None,
    loops: Sequence[int] = (),
    alone: bool = True,
) -> None:
    """Write the measurements of one training.

    paper: its config at scale `paper`, for parameters, checkpoint size and multiply-adds; loops: every L_e;
    cfg, weights: the trained model whose speed and memory are measured, if any; alone: nothing else runs
    meanwhile.
    """
    result = {
        "training": training,
        "parameters": parameters(paper),
        "checkpoint": checkpoint_size(paper),
        "multiply_adds": multiply_adds(paper, loops),
    }
    if cfg is not None:
        if _has_training_images(cfg):
            result["memory"] = training_memory(cfg)  # before anything else makes the process large
        result["speed"] = speed(cfg, weights, loops)
        result["alone"] = alone
        result["scale"] = cfg.r3cnn.scale
        result["data"] = cfg.r3cnn.data
    result.update(device.record("prediction"), end=provenance.now())
    write_json(out, result)
