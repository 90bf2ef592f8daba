import numpy as np
import pytest
from pycocotools import mask as coco_mask

from r3cnn.data.synthetic import segmentation


def decoded(encoded, shape) -> np.ndarray:
    """What pycocotools makes of a segmentation, bool [H, W]."""
    runs = coco_mask.frPyObjects(encoded, *shape)
    merged = coco_mask.merge(runs) if isinstance(runs, list) else runs
    return coco_mask.decode(merged).astype(bool)


@pytest.mark.parametrize("cell", [1, 3])
def test_any_mask_decodes_to_the_same_pixels(cell):
    rng = np.random.default_rng(0)
    for _ in range(300):
        mask = rng.random(rng.integers(1, 13, 2)) < rng.uniform(0.1, 1)
        mask = np.kron(mask, np.ones((cell, cell), bool))
        if not mask.any():
            continue
        for encoded in (segmentation.encode(mask), segmentation.run_lengths(mask)):
            np.testing.assert_array_equal(decoded(encoded, mask.shape), mask)
        runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert segmentation.bounding_box(mask) == coco_mask.toBbox(runs).tolist()


def test_a_mask_in_two_parts_is_two_polygons():
    mask = np.zeros((5, 9), bool)
    mask[1:3, 1:4] = mask[3:5, 6:9] = True
    polygons = segmentation.encode(mask)
    assert sorted(map(sorted, polygons)) == sorted(
        map(sorted, [[1, 1, 4, 1, 4, 3, 1, 3], [6, 3, 9, 3, 9, 5, 6, 5]])
    )


def test_a_hole_needs_run_lengths_but_a_notch_does_not():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    assert segmentation.encode(mask) == {"counts": [0, 12, 1, 12], "size": [5, 5]}
    mask[2, 3:] = False
    (polygon,) = segmentation.encode(mask)
    assert len(polygon) == 16
