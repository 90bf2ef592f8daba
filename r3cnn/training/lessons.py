"""Shared by the two parts of pre-training: examples by step, flips, normalised pixels, the optimiser."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

log = logging.getLogger(__name__)
EVERY = 50  # steps between two messages


@dataclass(frozen=True)
class Lesson:
    """How one part is learnt: SGD with momentum, warm-up over a tenth of the steps, then a cosine to zero."""

    batch: int
    epochs: int
    lr: float
    weight_decay: float = 1e-4
    clip: float = 10.0  # the largest norm of a gradient

    def said(self) -> str:
        """The lesson in words."""
        return (
            f"{self.epochs} epochs, {self.batch} a step, SGD with momentum 0.9, learning rate up to {self.lr} "
            f"and down to 0 along a cosine, weight decay {self.weight_decay}, gradients of norm up to {self.clip}"
        )


def learn(
    name: str,
    model: nn.Module,
    lesson: Lesson,
    examples: int,
    seed: int,
    loss_of: Callable[[np.ndarray, np.random.Generator], Tensor],
) -> None:
    """Train `model` on the examples with numbers 0 .. `examples` - 1.

    loss_of: the loss of the examples with some numbers, int64 [B]; the generator draws their flips.
    """
    steps = lesson.epochs * (examples // lesson.batch)
    sgd = torch.optim.SGD(
        model.parameters(), lr=lesson.lr, momentum=0.9, weight_decay=lesson.weight_decay
    )
    rate = OneCycleLR(sgd, lesson.lr, total_steps=steps, pct_start=0.1, cycle_momentum=False)
    rng = np.random.default_rng(seed)
    model.train()
    for step, numbers in enumerate(_batches(examples, lesson, rng), 1):
        loss = loss_of(numbers, rng)
        sgd.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), lesson.clip)
        sgd.step()
        rate.step()
        if step % EVERY == 0 or step == steps:
            log.info("%s: step %d of %d, loss %.3f", name, step, steps, loss.detach())
    model.eval()


def _batches(examples: int, lesson: Lesson, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Every epoch all examples in another order, except for an incomplete last step."""
    for _ in range(lesson.epochs):
        order = rng.permutation(examples)
        for first in range(0, examples - lesson.batch + 1, lesson.batch):
            yield order[first : first + lesson.batch]


def flipped(pixels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, H, W, 3], each turned left to right by chance, and which ones are, bool [N]."""
    turned = rng.random(len(pixels)) < 0.5
    return np.where(turned[:, None, None, None], pixels[:, :, ::-1], pixels), turned


def normalised(pixels: np.ndarray, preprocessor: dict[str, Sequence[float]]) -> Tensor:
    """RGB bytes [N, H, W, 3] as mmdet's preprocessor hands them to a backbone, float [N, 3, H, W]."""
    images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(preprocessor[key]).view(3, 1, 1) for key in ("mean", "std"))
    return (images - mean) / std
