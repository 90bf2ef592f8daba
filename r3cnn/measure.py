"""What a model costs: parameters, checkpoint size, speed and memory."""

import logging
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn
from torch.utils.data import DataLoader

from . import provenance
from .building import build_detector
from .data.loading import build_dataset, collate
from .files import write_json
from .predict import load_detector, predict_batch

log = logging.getLogger(__name__)
MIB, GIB = 2**20, 2**30
HEADS = ("bbox_head", "mask_head", "mask_iou_head", "bbox_roi_extractor", "mask_roi_extractor")


def parameters(cfg: Config) -> dict:
    """Parameters in total, trainable, and of each module; counted on the meta device, without memory."""
    detector = build_detector(cfg, "meta")
    modules = {name: getattr(detector, name) for name in ("backbone", "neck", "rpn_head")}
    for name in HEADS:
        head = getattr(detector.roi_head, name, None)
        if isinstance(head, nn.Module):
            modules[name] = head
    if modules["mask_roi_extractor"] is modules["bbox_roi_extractor"]:
        del modules["mask_roi_extractor"]
    return {
        "total": _count(detector),
        "trainable": _count(detector, trainable=True),
        "modules": {name: _count(module) for name, module in modules.items()},
    }


def _count(module: nn.Module, trainable: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def checkpoint_size(cfg: Config) -> dict:
    """Bytes of a training checkpoint's tensors: weights, buffers, and SGD's momentum of what trains.

    print_mb is what the paper prints as model size: MiB, rounded up.
    """
    detector = build_detector(cfg, "meta")
    weights = sum(p.numel() * p.element_size() for p in detector.parameters())
    buffers = sum(b.numel() * b.element_size() for b in detector.buffers())
    momentum = sum(p.numel() * p.element_size() for p in detector.parameters() if p.requires_grad)
    total = weights + buffers + momentum
    return {
        "weights_bytes": weights,
        "buffers_bytes": buffers,
        "momentum_bytes": momentum,
        "tensor_bytes": total,
        "print_mb": math.ceil(total / MIB),
    }


@torch.no_grad()
def speed(cfg: Config, weights: Path, loops: Sequence[int], images: int = 8) -> dict[str, dict]:
    """Images a second for each L_e on its own, the median over validation images one by one.

    From the loaded image on the host to boxes and pasted masks; loading and run-length coding left out.
    """
    detector = load_detector(cfg, weights)
    loader = DataLoader(build_dataset(cfg.test_dataloader), collate_fn=collate)
    batches = list(islice(loader, images))
    found = {}
    for n in loops:
        _time(detector, batches[0], n)  # warm-up
        seconds = [_time(detector, data, n) for data in batches]
        rate = 1 / statistics.median(seconds)
        found[str(n)] = {"images_per_second": round(rate, 3), "images": len(batches)}
    return found


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
    """Peak memory of a few training steps on the device at hand, in GiB.

    On a GPU the tensors' peak, as the paper's column; on a CPU the process's peak resident size.
    """
    from .train import Trainer

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

    paper: its config at scale `paper`, for parameters and checkpoint size; cfg, weights, loops: the
    trained model whose speed and memory are measured, if any; alone: nothing else runs meanwhile.
    """
    result = {
        "training": training,
        "parameters": parameters(paper),
        "checkpoint": checkpoint_size(paper),
    }
    if cfg is not None:
        result["memory"] = training_memory(cfg)  # before anything else makes the process large
        result["speed"] = speed(cfg, weights, loops)
        result["alone"] = alone
        result["scale"] = cfg.r3cnn.scale
        result["data"] = cfg.r3cnn.data
    result.update(provenance.record(), end=provenance.now())
    write_json(out, result)
