"""First part of pre-training: the backbone learns to tell the classes of crops."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data.synthetic import crops, scene
from .lessons import Lesson, flipped, learn, normalised

SIDE = 64  # pixels of a crop
SMOOTHING = 0.1  # of the labels


class Classifier(nn.Module):
    """A backbone, the mean over its last stage's pixels, a linear layer."""

    def __init__(self, backbone: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.fc = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Scores [N, classes] of images [N, 3, H, W]."""
        return self.fc(self.backbone(images)[-1].mean((2, 3)))


def classify(
    model: Classifier,
    drawn: Sequence[scene.Scene],
    lesson: Lesson,
    seed: int,
    preprocessor: dict[str, Sequence[float]],
) -> None:
    """Train a classifier on the crops of some scenes."""
    pixels, labels = crops.crop_objects(drawn, SIDE, seed)

    def loss_of(numbers: np.ndarray, rng: np.random.Generator) -> Tensor:
        images, _ = flipped(pixels[numbers], rng)
        scores = model(normalised(images, preprocessor))
        target = torch.from_numpy(labels[numbers])
        return functional.cross_entropy(scores, target, label_smoothing=SMOOTHING)

    learn("crops", model, lesson, len(labels), seed, loss_of)


@torch.no_grad()
def accuracy(
    model: Classifier,
    drawn: Sequence[scene.Scene],
    seed: int,
    preprocessor: dict[str, Sequence[float]],
) -> float:
    """The share of the crops of some scenes whose class is found."""
    pixels, labels = crops.crop_objects(drawn, SIDE, seed)
    parts = np.array_split(pixels, len(pixels) // 100 + 1)
    found = torch.cat([model(normalised(part, preprocessor)).argmax(1) for part in parts])
    return float((found.numpy() == labels).mean())
