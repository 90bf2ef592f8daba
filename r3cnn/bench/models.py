"""Models and images for the rows: the paper's networks with drawn weights, on generated images."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn
from torch.utils.data import DataLoader

from ..catalogue.scales import load_scale
from ..catalogue.trainings import load_catalogue
from ..config.resolve import resolve
from ..core.files import read_json, write_json
from ..data import SPLITS, annotation_file
from ..data.check import check
from ..data.loading import KeyedDataset, build_dataset, collate
from ..data.synthetic.shapes import SHAPES, generate
from ..training.sampling import SamplerTaps
from ..weights.building import build_detector
from ..weights.device import choose_device

OBJECTS = (4, 12)  # in an image; COCO has seven on average
TRAINED_ON = 8
LIKELY = 5  # classes that the drawn heads prefer, so that there are as many detections as may be
SAMPLED = 128  # RoIs an image in a small training step; the paper's 512 on a GPU


@dataclasses.dataclass
class Images:
    """Generated images of one size, checked as data are; in a folder that lives as long as this.

    classes: of the models; more than there are shapes have no object, but their part of every head.
    """

    width: int
    height: int
    count: int
    classes: int = len(SHAPES)
    folder: tempfile.TemporaryDirectory = dataclasses.field(init=False)
    checked: dict = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name) / "data"
        size = (self.width, self.height)
        train = max(self.count, TRAINED_ON)  # some are drawn without objects
        generate(root, train, self.count, *size, len(SHAPES), seed=0, objects=OBJECTS)
        if self.classes > len(SHAPES):
            for split in SPLITS:
                _add_classes(annotation_file(root, split), self.classes)
        self.checked = check(root)


def _add_classes(annotations: Path, classes: int) -> None:
    """Categories without an object, so that there are as many as this."""
    content = read_json(annotations)
    known = content["categories"]
    first = max(one["id"] for one in known) + 1
    names = (f"class {number}" for number in range(len(known) + 1, classes + 1))
    known += [{"id": id_, "name": name} for id_, name in enumerate(names, first)]
    write_json(annotations, content)


def config(id_: str, images: Images, scale: str = "paper") -> Config:
    """A training of the catalogue on these images at their size, with a drawn backbone."""
    settings = load_scale(scale)
    settings = dataclasses.replace(
        settings, batch=settings.per_pass, workers=0, images=[images.width, images.height]
    )
    backbone = None if settings.network else "random"
    return resolve(load_catalogue().trainings[id_], settings, 0, images.checked, backbone)


def sample_fewer(cfg: Config, rois: int = SAMPLED) -> Config:
    """The same with fewer RoIs an image in training, for a CPU."""
    stages = cfg.model.train_cfg.rcnn
    for stage in stages if isinstance(stages, list) else [stages]:
        stage.sampler.num = rois
    return cfg


class Step:
    """A whole training step, called again and again on the same batch: forward, backward, optimiser."""

    def __init__(self, cfg: Config, counted: bool = True) -> None:
        self.detector = build_detector(cfg, choose_device(), seed=0).train()
        self.optim = build_optim_wrapper(self.detector, cfg.optim_wrapper)
        for group in self.optim.param_groups:
            group["lr"] = 0.0  # so that all steps are the same
        self.taps = SamplerTaps(self.detector, 0)  # they make every step sample the same
        for tap in self.taps.taps:
            tap.counted = tap.counted and counted
        dataset = KeyedDataset(build_dataset(cfg.train_dataloader), 0)
        size = cfg.train_dataloader.batch_size
        self.data = collate([dataset[0, i] for i in range(size)])

    def __call__(self) -> None:
        batch = self.detector.data_preprocessor(self.data, True)
        self.taps.begin(0, [sample.img_id for sample in batch["data_samples"]])
        with self.optim.optim_context(self.detector):
            loss, _ = self.detector.parse_losses(self.detector(**batch, mode="loss"))
            self.optim.backward(loss)
        self.optim.step()
        self.optim.zero_grad()


def likely(detector: nn.Module, seed: int = 0) -> nn.Module:
    """Bias the drawn class scores so that every image has as many detections as it may have."""
    heads = detector.roi_head.bbox_head
    for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
        with torch.no_grad():
            bias = head.fc_cls.bias
            bias.fill_(-20.0)
            drawn = torch.randperm(len(bias) - 1, generator=torch.Generator().manual_seed(seed))
            bias[drawn[: min(LIKELY, len(drawn))].to(bias.device)] = 0.0
    return detector


def predictor(cfg: Config) -> nn.Module:
    """A drawn detector in evaluation mode with as many detections as may be."""
    return likely(build_detector(cfg, choose_device(), seed=0)).eval()


def batches_of(cfg: Config, size: int = 1) -> list[dict]:
    """The validation images as batches of `size`."""
    dataset = build_dataset(cfg.test_dataloader)
    return list(DataLoader(dataset, batch_size=size, collate_fn=collate))


def repeated(call: Callable[[dict], object], batches: Sequence[dict]) -> Callable[[], None]:
    """One call for each batch."""

    def run() -> None:
        for data in batches:
            call(data)

    return run
