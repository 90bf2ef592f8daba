"""Segmentations that pycocotools' C code never ends with, or dies of, are told from sound ones."""

import numpy as np
import pytest
from pycocotools import mask as rle

from r3cnn.data.segmentation import REACH, Segmentation, examine, examine_codes


def drawn_codes(count: int = 60) -> tuple[list[str], list[int], list[bool]]:
    """Run lengths of drawn masks, their images' pixels, and whether each is empty."""
    noise = np.random.default_rng(0)
    codes, pixels, empty = [], [], []
    for i in range(count):
        height, width = noise.integers(1, 120, 2)
        mask = np.zeros((height, width), dtype=np.uint8, order="F")
        if i % 2:
            mask[height // 3 : height // 2 + 1, width // 4 : width // 2 + 1] = 1
        else:
            mask[noise.random((height, width)) < noise.choice([0, 0.01, 0.5, 1])] = 1
        codes.append(rle.encode(mask)["counts"].decode())
        pixels.append(int(height * width))
        empty.append(not mask.any())
    return codes, pixels, empty


def fault(code: str | bytes, pixels: int) -> str | None:
    (found,) = examine_codes([code], [pixels])
    return found.fault


def test_codes_of_pycocotools_pass(monkeypatch):
    codes, pixels, empty = drawn_codes()
    assert any(empty)
    expected = [Segmentation(empty=one) for one in empty]
    assert list(examine_codes(codes, pixels)) == expected
    monkeypatch.setattr("r3cnn.data.segmentation.CHARACTERS", 100)  # in many parts
    assert list(examine_codes([code.encode() for code in codes], pixels)) == expected
    assert list(examine_codes([], [])) == []


def test_codes_that_lack_characters_are_told():
    """Two of such sums are what pycocotools' iou compares for ever."""
    codes, pixels, _ = drawn_codes()
    cut = [(code[:-n], size) for code, size in zip(codes, pixels, strict=True) for n in (1, 2, 3)]
    faults = [found.fault for found in examine_codes(*zip(*cut, strict=True))]
    assert len(faults) == 180
    assert all(faults)


@pytest.mark.parametrize("run", [[2, 3, 0, 0, 1], [0, 0, 6], [6], [6, 0, 0, 0], [0, 6]])
def test_runs_of_no_length_pass(run):
    code = rle.frPyObjects({"size": [2, 3], "counts": run}, 2, 3)["counts"]
    (found,) = examine_codes([code], [6])
    assert found == Segmentation(empty=sum(run[1::2]) == 0)


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("b'PP6'", "not run lengths"),  # the text of bytes
        ("", "not run lengths"),
        ("PP\x006", "not run lengths"),  # where C's text ends
        ("PP6\n", "not run lengths"),
        ("é6", "not run lengths"),
        ("PP", "cut off"),
        ("m", "cut off"),  # goes on behind the end
        ("PPPPPPPPPPPPPPPP6", "cut off"),  # more digits than a long holds
        ("O", "damaged"),  # a run of -1
        ("PP60N", "damaged"),  # a run of -2 as a difference
        ("PP7", "an RLE of 7168 pixels found, expected 6144"),
    ],
)
def test_texts_that_are_no_run_lengths(code, part):
    assert fault("PP6", 6144) is None
    assert part in fault(code, 6144)


@pytest.mark.parametrize(
    ("polygons", "part"),
    [
        ([[1, 1, 2e8, 3e8, 5, 5]], "a point at 200000000.0, 300000000.0"),
        ([[1, 1, 5, 1, 5, 5], [1, 1, 5, 1, 5, -REACH - 1]], f"a point at 5, -{REACH + 1}"),
        ([[1e308, 1, -1e308, 1, 5, 5]], "a point at 1e+308, 1"),
        ([[10**400, 1, 5, 1, 5, 5]], "not a list of finite numbers"),
        ([[0, 0, 0, REACH] * 2], f"an outline of {4 * REACH} pixels"),
        ([[None, 1, 5, 1, 5, 5]], "not a list of finite numbers"),
        (None, "None found"),
        ({"size": [2, 3], "counts": None}, "not a list of whole numbers"),
        ({"size": [2, 3], "counts": []}, "an RLE of 0 pixels"),
        ({"size": [2, 3], "counts": [2**32 + 6]}, "pixels found, expected 2 x 3"),
        ({"size": [2.0, 3.0], "counts": [6]}, "an RLE of size [2.0, 3.0]"),
    ],
)
def test_segmentations_that_are_refused(polygons, part):
    assert part in examine(polygons).fault


def test_the_extent_of_polygons():
    found = examine([[1, 2, 5, 2, 5, 6.5], [-3, 4, 2, 4, 2, 5]])
    assert found == Segmentation(extent=(-3, 2, 5, 6.5))
    zigzag = [[x, y] for x in range(500) for y in (0, 500)]
    assert examine([[number for point in zigzag for number in point]]).fault is None
