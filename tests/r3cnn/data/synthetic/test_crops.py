"""What a backbone is pre-trained on: other images than those of any data set, cropped about their objects."""

import numpy as np
import pytest

from r3cnn.data.synthetic import crops, shapes

LIKE = {"width": 128, "height": 96, "classes": 10, "objects": [1, 6], "class_colours": True}


def test_no_image_is_one_of_a_data_set():
    ours = [one.pixels.tobytes() for one in crops.draw_scenes(LIKE, seed=0, count=12)]
    assert len(set(ours)) == 12
    theirs = {
        shapes._draw(split, index, {**LIKE, "seed": 0}).pixels.tobytes()
        for split in ("train", "val")
        for index in range(12)
    }
    assert not theirs & set(ours)


def test_the_same_seed_draws_the_same_images():
    one, same, other = (
        [scene.pixels.tobytes() for scene in crops.draw_scenes(LIKE, seed, count=2)]
        for seed in (0, 0, 1)
    )
    assert one == same
    assert not set(one) & set(other)


def test_every_object_is_cropped_and_no_crowd():
    drawn = list(crops.draw_scenes(LIKE, seed=0, count=12))
    pixels, classes = crops.crop_objects(drawn, side=48, seed=0)
    objects = [i for scene in drawn for i in scene.instances if not i.crowd]
    assert pixels.shape == (len(objects), 48, 48, 3)
    assert pixels.dtype == np.uint8
    assert classes.tolist() == [i.category for i in objects]
    assert any(i.crowd for scene in drawn for i in scene.instances)


def test_a_crop_shows_most_of_its_object():
    rng = np.random.default_rng(0)
    for scene in crops.draw_scenes(LIKE, seed=0, count=12):
        for instance in scene.instances:
            left, top, right, bottom = crops._square_about(instance.visible, rng)
            assert left >= 0
            assert top >= 0
            assert right <= 128
            assert bottom <= 96
            assert right - left == pytest.approx(bottom - top)
            assert round(right - left) >= crops.SMALLEST
            rows, columns = slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)
            assert instance.visible[rows, columns].sum() > 0.5 * instance.visible.sum()
