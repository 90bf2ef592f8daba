"""Multiply-adds of the paper's own models, against products written out by hand."""

import math

import mmcv.ops
import pytest
import torch

from r3cnn.measuring.multiply_adds import DETECTIONS, ELSEWHERE, PROPOSALS, multiply_adds
from tests.r3cnn import tiny

# of an image of 1344 x 800 padded, by level of the pyramid
LEVELS = [(200, 336), (100, 168), (50, 84), (25, 42), (13, 21)]
CHANNELS, CLASSES = 256, 80


@pytest.fixture(scope="module")
def mask_rcnn() -> dict:
    return multiply_adds(tiny.config("mask_1x", "paper"), [1])["1"]


def test_each_module_of_mask_rcnn(mask_rcnn: dict) -> None:
    modules = mask_rcnn["modules"]
    places = sum(height * width for height, width in LEVELS)
    assert modules["rpn_head"] == places * (CHANNELS**2 * 9 + CHANNELS * 3 * (1 + 4))
    assert modules["bbox_head"] == PROPOSALS * (
        CHANNELS * 49 * 1024 + 1024**2 + 1024 * (CLASSES + 1) + 1024 * 4 * CLASSES
    )
    assert modules["mask_head"] == DETECTIONS * (
        4 * CHANNELS**2 * 9 * 14**2 + CHANNELS**2 * 4 * 14**2 + CHANNELS * CLASSES * 28**2
    )
    # two samples a bin and axis, each between four values
    assert modules["bbox_roi_extractor"] == PROPOSALS * CHANNELS * 7**2 * 2**2 * 4
    assert modules["mask_roi_extractor"] == DETECTIONS * CHANNELS * 14**2 * 2**2 * 4
    lateral = sum(
        height * width * CHANNELS * 256 * 2**level
        for level, (height, width) in enumerate(LEVELS[:4])
    )
    output = sum(height * width * CHANNELS**2 * 9 for height, width in LEVELS[:4])
    assert modules["neck"] == lateral + output
    in_rpn = sum(min(1000, height * width * 3) for height, width in LEVELS)
    pairs = math.comb(in_rpn, 2) + CLASSES * math.comb(PROPOSALS, 2)
    assert modules[ELSEWHERE] == 4 * pairs
    assert mask_rcnn["total"] == sum(modules.values())


def test_the_backbone_is_resnet_50(mask_rcnn: dict) -> None:
    """4.09 G multiply-adds at 224 x 224 without the classifier, as published; here 21.43 times as many pixels."""
    scaled = 4.087e9 * 800 * 1344 / 224**2
    assert mask_rcnn["modules"]["backbone"] == pytest.approx(scaled, rel=0.01)


def test_a_loop_costs_a_pass_of_each_head() -> None:
    found = multiply_adds(tiny.config("r3_naive_inc", "paper"), [1, 2, 4])
    box = {n: of_loops["modules"]["bbox_head"] for n, of_loops in found.items()}
    assert box == {"1": box["1"], "2": 2 * box["1"], "4": 4 * box["1"]}
    mask = {n: of_loops["modules"]["mask_head"] for n, of_loops in found.items()}
    # the residual convolution sees one place of zeros in the first loop, the maps of the loop before in the others
    more = DETECTIONS * CHANNELS**2 * 14**2 - CHANNELS**2
    assert mask["4"] == 4 * mask["1"] + 3 * more
    once = ("backbone", "neck", "rpn_head", "mask_roi_extractor", ELSEWHERE)
    assert {name: found["4"]["modules"][name] for name in once} == {
        name: found["1"]["modules"][name] for name in once
    }


def test_a_deformable_convolution_costs_its_offsets_and_samples_more(mask_rcnn: dict) -> None:
    """Stages 3 to 5 of ResNet-50: 4, 6 and 3 blocks of 128, 256 and 512 channels."""
    found = multiply_adds(tiny.config("dcn", "paper"), [1])["1"]["modules"]
    places = [(100 * 168, 4, 128), (50 * 84, 6, 256), (25 * 42, 3, 512)]
    more = sum(
        size * blocks * (9 * channels * 18 + 9 * channels * 4) for size, blocks, channels in places
    )
    assert found["backbone"] - mask_rcnn["modules"]["backbone"] == more


def test_the_operators_are_themselves_again() -> None:
    multiply_adds(tiny.config("mask_1x", "paper"), [1])
    pooled = mmcv.ops.RoIAlign(2)(torch.ones(1, 1, 8, 8), torch.tensor([[0, 0, 0, 4, 4]]).float())
    assert pooled.tolist() == [[[[1, 1], [1, 1]]]]
