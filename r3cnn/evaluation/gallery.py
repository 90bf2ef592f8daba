"""A few validation images with the detections of a model after each of its loops."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as rle
from torch.utils.data import Dataset

from ..data.masks import run_lengths
from ..data.transforms import read_image

IMAGES = 4
OBJECTS = range(2, 9)  # an image of the gallery has so many objects, if there is one
DETECTIONS = 8  # the best-scored ones are drawn
LONGEST_SIDE = 480
SMALLEST_RING = 4  # pixels: specks and pinholes of a mask are left out


def choose(dataset: Dataset, count: int = IMAGES) -> list[int]:
    """Indices of `count` images, spread evenly over those with some objects; the same for every model."""
    objects = {
        i: sum(not o["ignore_flag"] for o in dataset.get_data_info(i)["instances"])
        for i in range(len(dataset))
    }
    fitting = [i for i, n in objects.items() if n in OBJECTS]
    fitting = fitting or [i for i, n in objects.items() if n]
    places = np.linspace(0, len(fitting) - 1, min(count, len(fitting)))
    return [fitting[int(place)] for place in places]


def describe(
    info: dict, found: dict[int, InstanceData], classes: Sequence[str]
) -> dict[str, object]:
    """One image of the gallery as JSON values: the picture, its objects, and what each L_e found.

    info: the image's entry of mmdet's data set; found: {L_e: detections in the image's pixels}. Boxes are
    x, y, width, height, and outlines rings of x, y, x, y..., both in pixels of the shown picture.
    """
    height, width = info["height"], info["width"]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    truth = [item for item in info["instances"] if not item["ignore_flag"]]
    masks = [rle.decode(run_lengths(item["mask"], height, width)) for item in truth]
    boxes = np.array([item["bbox"] for item in truth], dtype=float).reshape(-1, 4)
    labels = np.array([item["bbox_label"] for item in truth], dtype=int)
    return {
        "image_id": info["img_id"],
        "width": round(width * scale),
        "height": round(height * scale),
        "jpeg": _thumbnail(info["img_path"], scale),
        "objects": [
            {"class": classes[label], **_shape(box, mask, scale)}
            for label, box, mask in zip(labels, boxes, masks, strict=True)
        ],
        "loops": {
            str(n): _found_after(res, boxes, masks, labels, classes, scale)
            for n, res in sorted(found.items())
        },
    }


def _found_after(
    found: InstanceData,
    boxes: np.ndarray,
    masks: list[np.ndarray],
    labels: np.ndarray,
    classes: Sequence[str],
    scale: float,
) -> dict[str, object]:
    """The best detections, and for each object the best IoU (box, mask) of a detection of its class."""
    own_boxes = found.bboxes.cpu().numpy().astype(float)
    own_masks = list(found.masks.cpu().numpy().astype(np.uint8))
    own_labels = found.labels.cpu().numpy()
    same = own_labels[:, None] == labels[None]
    box_iou = np.where(same, _iou(_corners_to_sides(own_boxes), _corners_to_sides(boxes)), 0)
    mask_iou = np.where(same, _iou(_encoded(own_masks), _encoded(masks)), 0)
    scores = found.scores.cpu().numpy()
    drawn = np.argsort(-scores, kind="stable")[:DETECTIONS]
    return {
        "detections": [
            {
                "class": classes[own_labels[i]],
                "score": round(float(scores[i]), 3),
                "box_iou": _best(box_iou[i]),
                "mask_iou": _best(mask_iou[i]),
                **_shape(own_boxes[i], own_masks[i], scale),
            }
            for i in drawn
        ],
        "box_iou": [_best(column) for column in box_iou.T],
        "mask_iou": [_best(column) for column in mask_iou.T],
    }


def _best(values: np.ndarray) -> float:
    return round(float(values.max(initial=0)), 3)


def _iou(found: object, truth: object) -> np.ndarray:
    """IoU (detections, objects) of boxes as sides or of run lengths."""
    if not len(found) or not len(truth):
        return np.zeros((len(found), len(truth)))
    return np.asarray(rle.iou(found, truth, [0] * len(truth)))


def _corners_to_sides(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _encoded(masks: list[np.ndarray]) -> list[dict]:
    return [rle.encode(np.asfortranarray(mask)) for mask in masks]


def _shape(box: np.ndarray, mask: np.ndarray, scale: float) -> dict[str, object]:
    """The box and the outline in pixels of the shown picture, to a tenth."""
    rings, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outline = []
    for ring in rings:
        if cv2.contourArea(ring) < SMALLEST_RING:
            continue
        smooth = cv2.approxPolyDP(ring, 0.7, True)[:, 0].astype(float)
        if len(smooth) > 2:
            outline.append(np.round((smooth + 0.5) * scale, 1).ravel().tolist())
    sides = [*box[:2], *(box[2:] - box[:2])]
    return {"box": [round(float(side * scale), 1) for side in sides], "outline": outline}


def _thumbnail(path: str, scale: float) -> str:
    """The picture as the network saw it, as JPEG in base64."""
    picture = Image.fromarray(read_image(Path(path))[..., ::-1])
    size = [max(1, round(side * scale)) for side in picture.size]
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
