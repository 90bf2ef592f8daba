"""Second part of pre-training: backbone, neck and RPN learn to propose objects, by the RPN's loss alone."""

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..data.synthetic import scene, segmentation
from .lessons import Lesson, flipped, learn, normalised


def propose(
    rpn: nn.Module,
    drawn: Sequence[scene.Scene],
    lesson: Lesson,
    seed: int,
    preprocessor: dict[str, Sequence[float]],
) -> None:
    """Train mmdet's RPN, a detector of one class, on some scenes."""
    targets = [_boxes(one) for one in drawn]

    def loss_of(numbers: np.ndarray, rng: np.random.Generator) -> Tensor:
        images, turned = flipped(np.stack([drawn[i].pixels for i in numbers]), rng)
        shape = images.shape[1:3]
        pairs = zip(numbers, turned, strict=True)
        samples = [_sample(*targets[i], shape, flip) for i, flip in pairs]
        return rpn.parse_losses(rpn.loss(normalised(images, preprocessor), samples))[0]

    learn("proposals", rpn, lesson, len(drawn), seed, loss_of)


@torch.no_grad()
def recall(
    rpn: nn.Module,
    drawn: Sequence[scene.Scene],
    preprocessor: dict[str, Sequence[float]],
    iou: float,
    most: int = 100,
) -> float:
    """The share of the objects that one of an image's `most` best proposals meets with this IoU."""
    met = []
    for one in drawn:
        objects, _ = _boxes(one)
        sample = _sample(objects, objects[:0], one.pixels.shape[:2], flip=False)
        found = rpn.predict(normalised(one.pixels[None], preprocessor), [sample], rescale=False)
        boxes = found[0].pred_instances.bboxes[:most]
        met.append(bbox_overlaps(torch.from_numpy(objects), boxes).amax(1) >= iou)
    return float(torch.cat(met).float().mean())


def _boxes(drawn: scene.Scene) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (left, top, right, bottom), float32 [N, 4], of the objects and of the crowds."""
    found: tuple[list, list] = ([], [])
    for instance in drawn.instances:
        x, y, width, height = segmentation.bounding_box(instance.visible)
        found[instance.crowd].append((x, y, x + width, y + height))
    objects, crowds = (np.array(part, np.float32).reshape(-1, 4) for part in found)
    return objects, crowds


def _sample(
    objects: np.ndarray, crowds: np.ndarray, shape: tuple[int, int], flip: bool
) -> DetDataSample:
    """What mmdet is told of an image of some height and width; all objects are of class 0."""

    def instances(boxes: np.ndarray) -> InstanceData:
        if flip:
            x0, y0, x1, y1 = boxes.T
            boxes = np.stack([shape[1] - x1, y0, shape[1] - x0, y1], 1)
        labels = torch.zeros(len(boxes), dtype=torch.long)
        return InstanceData(bboxes=torch.from_numpy(boxes), labels=labels)

    facts = dict.fromkeys(("img_shape", "pad_shape", "batch_input_shape", "ori_shape"), shape)
    sample = DetDataSample(metainfo={**facts, "scale_factor": (1.0, 1.0)})
    sample.gt_instances, sample.ignored_instances = instances(objects), instances(crowds)
    return sample
