"""The two images, their objects and proposals that the reference numbers were made with.

Everything is drawn by numpy from fixed seeds: images (2, 3, 256, 320), already normalised.
"""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from torch import Tensor

HEIGHT, WIDTH, PROPOSALS = 256, 320, 64
BOXES = (
    [
        [30.3, 40.6, 130.2, 150.8],
        [150.5, 20.1, 300.7, 120.4],
        [60.9, 130.2, 110.4, 240.3],
        [200.2, 140.7, 290.1, 250.5],
        [5.4, 5.2, 45.6, 38.9],
        [36.1, 50.2, 138.7, 160.4],  # close to the first and without a proposal of its own
    ],
    [[20.7, 15.3, 220.9, 210.2], [180.1, 90.4, 310.3, 200.6], [240.6, 10.9, 270.2, 60.3]],
)
LABELS = ([3, 17, 56, 0, 79, 44], [25, 3, 62])
WITH_PROPOSALS = (5, 3)  # how many objects of each image proposals are drawn around


def images() -> Tensor:
    """A smooth random field with noise, (2, 3, 256, 320)."""
    generator = np.random.RandomState(1234)
    coarse = generator.standard_normal((2, 3, 16, 20))
    smooth = coarse.repeat(16, axis=2).repeat(16, axis=3)
    noise = generator.standard_normal((2, 3, HEIGHT, WIDTH))
    return torch.from_numpy((0.8 * smooth + 0.6 * noise).astype(np.float32))


def samples() -> list[DetDataSample]:
    """Both images' ground truth; each mask is the ellipse that fills its box."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    found = []
    for i, (boxes, labels) in enumerate(zip(BOXES, LABELS, strict=True)):
        masks = []
        for x0, y0, x1, y1 in boxes:
            across = (x - (x0 + x1) / 2) / ((x1 - x0) / 2)
            down = (y - (y0 + y1) / 2) / ((y1 - y0) / 2)
            masks.append((across**2 + down**2 <= 1).astype(np.uint8))
        shape = (HEIGHT, WIDTH)
        sample = DetDataSample(
            metainfo={
                "img_id": i,
                "img_shape": shape,
                "ori_shape": shape,
                "pad_shape": shape,
                "batch_input_shape": shape,
                "scale_factor": (1.0, 1.0),
                "flip": False,
            }
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32),
            labels=torch.tensor(labels),
            masks=BitmapMasks(np.stack(masks), *shape),
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        found.append(sample)
    return found


def proposals() -> list[Tensor]:
    """For each image (64, 4): 40 objects' boxes, shaken more and more, and 24 random boxes, shuffled."""
    return [_proposals_of_image(i) for i in range(len(BOXES))]


def _proposals_of_image(image: int) -> Tensor:
    generator = np.random.RandomState(5678 + image)
    boxes = np.array(BOXES[image], dtype=np.float32).astype(np.float64)
    found = []
    for i in range(40):
        box = boxes[i % WITH_PROPOSALS[image]]
        size = np.tile(box[2:] - box[:2], 2)
        spread = 0.02 + 0.28 * i / 39
        found.append(box + generator.uniform(-spread, spread, 4) * size)
    for _ in range(24):
        width, height = np.exp(generator.uniform(np.log(16), np.log(224), 2))
        x, y = generator.uniform(0, WIDTH), generator.uniform(0, HEIGHT)
        found.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    found = np.array(found).clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    narrow = (found[:, 2:] - found[:, :2] < 8).any(axis=1)
    found[narrow] = [100, 100, 180, 170]
    return torch.from_numpy(found[generator.permutation(len(found))].astype(np.float32))
