"""The port's record of one reference configuration: its network, filled by the rule, run on the inputs."""

from unittest import mock

import numpy as np
import torch
from mmdet.models.task_modules.samplers import RandomSampler
from torch import nn

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import load_catalogue
from r3cnn.config.resolve import resolve
from r3cnn.weights.building import build_detector
from tests.parity import record, weights

SAMPLES = (512, 32)  # RoIs asked for in the two training records
LOOPED = {
    "roi_head.bbox_head": "roi_head.bbox_head.0",
    "roi_head.mask_head": "roi_head.mask_head.0",
    "roi_head.bbox_roi_extractor": "roi_head.bbox_roi_extractor.0",
    "roi_head.mask_roi_extractor": "roi_head.mask_roi_extractor.0",
}
ADVANCED = {
    "roi_head.bbox_head.shared_convs": "roi_head.bbox_head.0.shared_fcs",
    **{
        f"roi_head.mask_iou_head.convs.{i}": f"roi_head.mask_iou_head.convs.{i}.conv"
        for i in range(4)
    },
}


def renames(detector: nn.Module) -> dict[str, str]:
    """Prefixes of our tensors' names that the authors' code names otherwise."""
    head = detector.roi_head
    if not hasattr(head, "predict_loops"):
        return {}
    return LOOPED if head.mask_iou_head is None else {**LOOPED, **ADVANCED}


def unfilled(name: str, device: str = "cpu") -> nn.Module:
    """The detector of a reference file: `<training>` or `<training>-loops<L_e>`."""
    training, _, loops = name.partition("-loops")
    cfg = resolve(load_catalogue().trainings[training], load_scale("paper"), seed=0)
    if loops:
        cfg.model.roi_head.loops = int(loops)
    __import__("r3cnn.models")
    return build_detector(cfg, device)


def build(name: str) -> nn.Module:
    """The same, weights filled."""
    detector = unfilled(name)
    weights.fill(detector, renames(detector))
    return detector


def record_of(detector: nn.Module, score_thr: float, submodules: list[str]) -> record.Record:
    """Everything of evaluation and training that a reference file holds."""
    found: record.Record = {}
    with mock.patch.object(RandomSampler, "random_choice", record.first_k):
        with torch.no_grad():
            record.features(detector, found)
            record.evaluation(detector, found, score_thr)
        for samples in SAMPLES:
            train_record(detector, found, samples, submodules)
        record.rpn_training(detector, found)
    return found


def train_record(
    detector: nn.Module, found: record.Record, samples: int, submodules: list[str]
) -> None:
    """Losses, gradients and samplings with `samples` RoIs asked for."""
    with mock.patch.object(RandomSampler, "random_choice", record.first_k):
        record.training(detector, found, samples)
    names = renames(detector)
    record.gradients(
        detector, found, f"train{samples}", lambda own: weights.reference_name(own, names)
    )
    for path in submodules:
        norm = record.gradient_norm(detector.get_submodule(path))
        found[f"train{samples}/gradnorm/{path}"] = np.array(norm)
