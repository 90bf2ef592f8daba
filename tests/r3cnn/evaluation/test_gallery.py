"""The pictures that `predict` leaves for the report."""

import base64
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from r3cnn.evaluation.gallery import LONGEST_SIDE, choose, describe


class Images:
    """Stands for mmdet's data set: as many objects an image as given; -1 is a crowd."""

    def __init__(self, *objects: int) -> None:
        self.objects = objects

    def __len__(self) -> int:
        return len(self.objects)

    def get_data_info(self, index: int) -> dict:
        n = self.objects[index]
        return {"instances": [{"ignore_flag": int(n < 0)}] * abs(n)}


def found(boxes: list, labels: list, scores: list, size: tuple[int, int]) -> SimpleNamespace:
    masks = torch.zeros((len(boxes), *size), dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[int(y1) : int(y2), int(x1) : int(x2)] = True
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return SimpleNamespace(
        bboxes=boxes, masks=masks, labels=torch.tensor(labels, dtype=torch.int64),
        scores=torch.tensor(scores),
    )  # fmt: skip


@pytest.fixture
def info(tmp_path: Path) -> dict:
    """An image of 960 x 480 with one square of class 1, a crowd beside it."""
    Image.new("RGB", (960, 480), "red").save(tmp_path / "a.png")
    square = {"bbox": [100, 100, 300, 300], "bbox_label": 1, "ignore_flag": 0,
              "mask": [[100, 100, 300, 100, 300, 300, 100, 300]]}  # fmt: skip
    return {"img_id": 9, "img_path": str(tmp_path / "a.png"), "width": 960, "height": 480,
            "instances": [square, {**square, "ignore_flag": 1}]}  # fmt: skip


def test_pictures_are_spread_over_images_with_some_objects() -> None:
    assert choose(Images(0, 2, 1, 3, 9, 4, 5, -3, 6), 3) == [1, 5, 8]
    assert choose(Images(0, 1, 0, 1), 4) == [1, 3]
    assert choose(Images(0, -2), 4) == []


def test_a_picture_is_small_and_its_shapes_fit_it(info: dict) -> None:
    picture = describe(info, {1: found([], [], [], (480, 960))}, ["a", "b"])
    assert (picture["width"], picture["height"]) == (LONGEST_SIDE, 240)
    with Image.open(io.BytesIO(base64.b64decode(picture["jpeg"]))) as image:
        assert image.size == (480, 240)
    [item] = picture["objects"]
    assert (item["class"], item["box"]) == ("b", [50, 50, 100, 100])
    [ring] = item["outline"]
    assert np.ptp(ring[::2]) == pytest.approx(100, abs=1)
    assert picture["loops"]["1"] == {"detections": [], "box_iou": [0], "mask_iou": [0]}


def test_iou_is_that_of_the_best_detection_of_the_objects_class(info: dict) -> None:
    boxes = [[100, 100, 300, 200], [100, 100, 300, 300], [100, 100, 300, 250]]
    after = {
        1: found(boxes, [1, 0, 1], [0.5, 0.9, 0.2], (480, 960)),
        2: found(boxes[1:2], [1], [0.3], (480, 960)),
    }
    loops = describe(info, after, ["a", "b"])["loops"]
    assert loops["1"]["box_iou"] == [0.75]
    assert loops["1"]["mask_iou"] == pytest.approx([0.75], abs=0.01)
    assert loops["2"]["box_iou"] == [1]
    drawn = loops["1"]["detections"]
    assert [(d["class"], d["score"], d["box_iou"]) for d in drawn] == [
        ("a", 0.9, 0), ("b", 0.5, 0.5), ("b", 0.2, 0.75)
    ]  # fmt: skip


def test_a_hole_is_a_ring_and_a_speck_is_none(info: dict) -> None:
    ring = found([[100, 100, 300, 300]], [1], [0.5], (480, 960))
    ring.masks[0, 150:250, 150:250] = False
    ring.masks[0, 400, 800] = True
    [shape] = describe(info, {1: ring}, ["a", "b"])["loops"]["1"]["detections"]
    assert len(shape["outline"]) == 2
