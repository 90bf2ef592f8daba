"""Small detectors and made-up batches, so that a test of the method takes a second or less."""

import copy
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor, nn

from r3cnn.catalogue.scales import load_scale
from r3cnn.catalogue.trainings import Training, load_catalogue
from r3cnn.config.load import load_config, text_of
from r3cnn.config.resolve import resolve
from r3cnn.weights import checkpoint
from r3cnn.weights.building import build_detector

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 6
IDS = tuple(load_catalogue().trainings)
Features = tuple[Tensor, ...]


def entry(id_: str, **changes: object) -> Training:
    """A line of the paper's catalogue, changed."""
    return dataclasses.replace(load_catalogue().trainings[id_], **changes)


@functools.cache
def _resolved(id_: str, scale: str) -> Config:
    return resolve(entry(id_), load_scale(scale), seed=0)


def config(id_: str, scale: str = "smoke", classes: int | None = None, **options: object) -> Config:
    """A resolved config without data; `options` are keys of the RoI head."""
    cfg = copy.deepcopy(_resolved(id_, scale))
    cfg.model.roi_head.update(options)
    if classes is not None:
        heads = ("bbox_head", "mask_head", "mask_iou_head")
        for head in (cfg.model.roi_head.get(name) for name in heads):
            for one in head if isinstance(head, list) else [head]:
                if one:
                    one.num_classes = classes
    return cfg


def detector(id_: str, classes: int = CLASSES, **options: object) -> nn.Module:
    """A detector at scale smoke whose every weight is drawn, the same whatever the options."""
    cfg = config(id_, "smoke", classes, **options)
    train = cfg.model.train_cfg.rcnn
    for stage in train if isinstance(train, list) else [train]:
        stage.sampler.num = 16
    cfg.model.test_cfg.rcnn.max_per_img = 8
    return shaken(build_detector(cfg, "cpu", seed=0))


@torch.no_grad()
def shaken(found: nn.Module) -> nn.Module:
    """Adds noise to weights that start at zero or tiny, so that nothing is hidden behind them."""
    for i, weight in enumerate(found.parameters()):
        noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(i))
        fan_in = max(weight[0].numel(), 1) if weight.dim() > 1 else 100
        weight.add_(0.5 * noise / fan_in**0.5)
    return found


# ---------------------------------------------------------------------------- pictures


@dataclasses.dataclass
class Picture:
    """An image to be made up: width and height, and its objects' boxes (x0, y0, x1, y1) and classes."""

    width: int = 96
    height: int = 64
    boxes: Sequence[Sequence[float]] = ()
    labels: Sequence[int] = ()


def several() -> list[Picture]:
    """Four images of different size with 3, 1, 2 and 2 objects, among them a crowded pair."""
    return [
        Picture(96, 64, [[5, 5, 40, 50], [45, 10, 90, 40], [10, 30, 30, 60]], [0, 3, 5]),
        Picture(64, 96, [[8, 20, 50, 80]], [1]),
        Picture(80, 80, [[4, 4, 30, 30], [40, 35, 76, 78]], [2, 4]),
        Picture(120, 60, [[20, 10, 70, 55], [24, 14, 74, 58]], [0, 0]),
    ]


def batch(pictures: Sequence[Picture], seed: int = 0) -> dict[str, list]:
    """The pictures as a data loader hands them over: images of noise, boxes, elliptic masks."""
    found: dict[str, list] = {"inputs": [], "data_samples": []}
    for i, picture in enumerate(pictures):
        noise = np.random.default_rng([seed, i])
        pixels = noise.integers(0, 256, (3, picture.height, picture.width), dtype=np.uint8)
        found["inputs"].append(torch.from_numpy(pixels))
        found["data_samples"].append(_sample(i, picture))
    return found


def _sample(number: int, picture: Picture) -> DetDataSample:
    shape = (picture.height, picture.width)
    sample = DetDataSample(
        metainfo={
            "img_id": 100 + number,
            "img_shape": shape,
            "ori_shape": (2 * picture.height, 2 * picture.width),
            "scale_factor": (0.5, 0.5),
            "flip": False,
        }
    )
    masks = [_ellipse(box, *shape) for box in picture.boxes]
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(picture.boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(picture.labels, dtype=torch.long),
        masks=BitmapMasks(masks, *shape),
    )
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
    )
    return sample


def _ellipse(box: Sequence[float], height: int, width: int) -> np.ndarray:
    x0, y0, x1, y1 = box
    y, x = np.mgrid[:height, :width] + 0.5
    across = (2 * x - x0 - x1) / (x1 - x0)
    down = (2 * y - y0 - y1) / (y1 - y0)
    return (across**2 + down**2 <= 1).astype(np.uint8)


def proposals(
    pictures: Sequence[Picture], around: int = 6, anywhere: int = 6, seed: int = 0
) -> list[InstanceData]:
    """Boxes near each object, closer and farther, and random ones, for each picture."""
    found = []
    for i, picture in enumerate(pictures):
        noise = np.random.default_rng([seed, i, 1])
        side = np.array([picture.width, picture.height] * 2)
        boxes = [
            np.array(box) + noise.normal(0, 0.02 * (j + 1), 4) * (box[2] - box[0])
            for box in picture.boxes
            for j in range(around)
        ]
        low, high = noise.uniform(0, 0.6, (anywhere, 2)), noise.uniform(0.1, 0.4, (anywhere, 2))
        boxes += list(np.hstack((low, low + high)) * side)
        clipped = np.clip(np.array(boxes, dtype=np.float32).reshape(-1, 4), 0, side)
        found.append(InstanceData(bboxes=torch.from_numpy(clipped.astype(np.float32))))
    return found


@torch.no_grad()
def prepared(found: nn.Module, pictures: Sequence[Picture]) -> tuple[Features, list]:
    """The neck's features and the samples, padded to one size."""
    data = found.data_preprocessor(batch(pictures), True)
    return found.extract_feat(data["inputs"]), data["data_samples"]


def losses(
    found: nn.Module,
    pictures: Sequence[Picture],
    proposed: Sequence[InstanceData] | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    """The RoI head's losses of one batch, sampling drawn from `seed`."""
    found.train()
    x, samples = prepared(found, pictures)
    torch.manual_seed(seed)
    proposed = proposals(pictures) if proposed is None else proposed
    return found.roi_head.loss(x, list(proposed), samples)


def total(terms: dict[str, Tensor]) -> Tensor:
    """What the detector would minimise."""
    return sum(value.sum() for name, value in terms.items() if "loss" in name)


@torch.no_grad()
def detections(
    found: nn.Module,
    pictures: Sequence[Picture],
    loops: Sequence[int] | None = None,
    proposed: Sequence[InstanceData] | None = None,
) -> dict[int, list[InstanceData]] | list[InstanceData]:
    """predict_loops of one batch, or predict where `loops` is not given."""
    found.eval()
    x, samples = prepared(found, pictures)
    proposed = list(proposals(pictures) if proposed is None else proposed)
    if loops is None:
        return found.roi_head.predict(x, proposed, samples, rescale=True)
    return found.roi_head.predict_loops(x, proposed, samples, loops, rescale=True)


def same(one: InstanceData, other: InstanceData) -> bool:
    """Whether two images' detections are equal in every field, bit for bit."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name])
        for name in one.keys()  # noqa: SIM118 - InstanceData iterates over instances
    )


def dataset_config(cfg: Config, split: str) -> dict:
    """The data set of a resolved config, for train or for val."""
    return cfg["train_dataloader" if split == "train" else "test_dataloader"]


def written(cfg: Config, folder: Path) -> Path:
    """The config as a file, as `resolve` writes it."""
    path = folder / "config.py"
    path.write_text(text_of(cfg), encoding="utf-8")
    return path


def untrained(id_: str, data: dict, folder: Path) -> tuple[Config, Path]:
    """A config on a data set, read from its file, and a checkpoint of drawn weights."""
    cfg = load_config(written(resolve(entry(id_), load_scale("smoke"), 0, data), folder))
    weights = folder / "checkpoint.pth"
    state = shaken(build_detector(cfg, "cpu", seed=0)).state_dict()
    checkpoint.save(weights, {"state_dict": state})
    return cfg, weights


def manifest(**changes: object) -> dict:
    """What training r3_advanced leaves beside its checkpoint, changed."""
    return {
        "training": "r3_advanced",
        "scale": "smoke",
        "seed": 0,
        "schedule": "1x",
        "loops_trained": 3,
        "config_sha256": "c0ffee",
        "source_sha256": "50c5",
        "git_commit": None,
        "versions": {"torch": "2.13.0"},
        "device": "CPU",
        "world_size": 1,
        "batch": 4,
        "lr": 0.01,
        "data": {"root": "data", "classes": 6, "train_images": 8, "train_sha256": "7ab1e"},
        "iterations": 18,
        "epochs": 2,
        "start": "2026-01-01",
        "end": "2026-01-02",
        "attempts": [{}],
        "seconds": 9.4,
        **changes,
    }
