"""Order and augmentation are functions of (seed, epoch, image), whoever reads."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from r3cnn.catalogue.scales import load_scale
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.core.steps import steps_of_epoch
from r3cnn.data.loading import (
    KeyedDataset,
    build_dataset,
    collate,
    passes_of_epoch,
    passes_of_rank,
    wide_images,
)
from tests.r3cnn import tiny

WIDE = [True, True, False, True, False, True, True, False, True, True, True]


@pytest.fixture(scope="module")
def dataset(shapes):
    return build_dataset(
        resolve(tiny.entry("mask_1x"), load_scale("smoke"), 0, shapes).train_dataloader
    )


def test_a_picture_that_the_pipeline_cannot_resize_is_named(shapes):
    """1 x 5,000 pixels: nothing is left of the short side."""
    found = build_dataset(
        resolve(tiny.entry("mask_1x"), load_scale("smoke"), 0, shapes).test_dataloader
    )
    info = found.get_data_info(1)
    name = Path(info["img_path"]).with_name("thin.png")
    Image.new("RGB", (5000, 1)).save(name)
    thin = info | {"img_path": str(name), "width": 5000, "height": 1, "instances": []}
    with pytest.raises(UserError, match=r"thin\.png: .* 5000 x 1 pixels .*; cut it into pieces"):
        found.pipeline(thin)


# ------------------------------------------------------------------------- augmentation


def seen(keyed: KeyedDataset, epoch: int, index: int) -> tuple[int, bool, bytes]:
    sample = keyed[epoch, index]
    info = sample["data_samples"]
    return info.img_id, info.flip, sample["inputs"].numpy().tobytes()


def test_an_augmentation_does_not_depend_on_former_draws(dataset):
    keyed = KeyedDataset(dataset, seed=0)
    first = [seen(keyed, 0, i) for i in range(len(dataset))]
    random.random(), np.random.random(7), torch.rand(3)
    backwards = [seen(keyed, 0, i) for i in reversed(range(len(dataset)))]
    assert backwards[::-1] == first
    assert {flip for _, flip, _ in first} == {True, False}


def test_an_augmentation_depends_on_epoch_seed_and_image(dataset):
    def flips(epoch, seed=0):
        keyed = KeyedDataset(dataset, seed)
        return tuple(seen(keyed, epoch, i)[1] for i in range(len(dataset)))

    by_epoch = [flips(epoch) for epoch in range(12)]
    assert len(set(by_epoch)) > 6
    assert flips(0) == by_epoch[0]
    assert any(flips(epoch, seed=1) != by_epoch[epoch] for epoch in range(3))
    share = np.mean(by_epoch)
    assert 0.3 < share < 0.7  # a flip of probability 0.5, some hundred draws


def test_an_augmentation_does_not_depend_on_the_images_place(dataset):
    """Another data set that holds the same image under another index."""

    class Backwards:
        def get_data_info(self, index):
            return dataset.get_data_info(len(dataset) - 1 - index)

        def __getitem__(self, index):
            return dataset[len(dataset) - 1 - index]

        def __len__(self):
            return len(dataset)

    other = KeyedDataset(Backwards(), seed=0)
    for i in range(len(dataset)):
        assert seen(other, 2, len(dataset) - 1 - i) == seen(KeyedDataset(dataset, 0), 2, i)
    assert len(other) == len(dataset)


def test_workers_make_the_same_images(dataset):
    order = [[(1, i), (1, i + 1)] for i in range(0, 6, 2)]

    def pixels(workers):
        loader = torch.utils.data.DataLoader(
            KeyedDataset(dataset, 0), batch_sampler=order, num_workers=workers, collate_fn=collate
        )
        return [image for batch in loader for image in batch["inputs"]]

    for one, other in zip(pixels(0), pixels(2), strict=True):
        assert torch.equal(one, other)


# -------------------------------------------------------------------------------- order


def test_every_image_comes_at_least_once_in_every_epoch():
    for per_pass in (1, 2, 3, 4, 16):
        for epoch in range(5):
            passes = passes_of_epoch(WIDE, per_pass, 0, epoch)
            assert {len(one) for one in passes} == {per_pass}
            assert {i for one in passes for i in one} == set(range(len(WIDE)))
            # only the last pass of each orientation is filled up
            surplus = sum(map(len, passes)) - len(WIDE)
            assert surplus == -WIDE.count(True) % per_pass + -WIDE.count(False) % per_pass


def test_the_last_pass_is_filled_from_the_beginning_of_its_orientation():
    for epoch in range(5):
        one, other = passes_of_epoch([True] * 5, 4, 0, epoch)
        assert (one[1:] == other[:3]) != (
            other[1:] == one[:3]
        )  # which of both is the last, is drawn


def test_a_pass_holds_one_orientation():
    for epoch in range(5):
        for one in passes_of_epoch(WIDE, 4, 0, epoch):
            assert len({WIDE[i] for i in one}) == 1


def test_the_order_depends_on_seed_and_epoch_alone():
    first = passes_of_epoch(WIDE, 2, 0, 0)
    torch.manual_seed(99)
    assert passes_of_epoch(WIDE, 2, 0, 0) == first
    assert passes_of_epoch(WIDE, 2, 0, 1) != first
    assert passes_of_epoch(WIDE, 2, 1, 0) != first


def test_orientations_are_mixed():
    """Not all wide images first."""
    wide = [True] * 40 + [False] * 40
    kinds = [wide[one[0]] for one in passes_of_epoch(wide, 4, 0, 0)]
    assert kinds != sorted(kinds, reverse=True)


def test_images_of_one_orientation_need_no_other():
    assert len(passes_of_epoch([False] * 5, 2, 0, 0)) == 3


def read(passes, per_step, world, first_step=0) -> list[list[list]]:
    """What each rank reads, step by step."""
    share = per_step // world
    found = []
    for rank in range(world):
        mine = list(passes_of_rank(passes, 7, first_step, per_step, rank, world))
        found.append([mine[i : i + share] for i in range(0, len(mine), share)])
    return found


@pytest.mark.parametrize("world", [1, 2, 4])
def test_ranks_share_the_passes_of_each_step(world):
    """Together they read what one process reads, none of it twice."""
    passes = passes_of_epoch(WIDE * 3, 1, 0, 7)
    steps = steps_of_epoch(len(passes), 4)
    alone, shared = read(passes, 4, 1)[0], read(passes, 4, world)
    assert [len(one) for one in shared] == [steps] * world
    for step in range(steps):
        together = [one for rank in shared for one in rank[step]]
        assert sorted(together) == sorted(alone[step])
        if step < steps - 1:
            assert len({tuple(one) for one in together}) == 4


def test_an_epoch_reads_every_image_and_says_the_epoch():
    passes = passes_of_epoch(WIDE, 2, 0, 7)
    found = [at for one in read(passes, 4, 2) for step in one for each in step for at in each]
    assert {epoch for epoch, _ in found} == {7}
    assert {index for _, index in found} == set(range(len(WIDE)))


def test_the_last_step_is_filled_from_the_beginning():
    passes = [[i] for i in range(5)]
    (steps,) = read(passes, 4, 1)
    assert [[index for ((_, index),) in step] for step in steps] == [[0, 1, 2, 3], [4, 0, 1, 2]]


def test_a_later_first_step_reads_what_is_left():
    passes = passes_of_epoch(WIDE, 1, 0, 7)
    whole, rest = read(passes, 2, 2), read(passes, 2, 2, first_step=3)
    assert rest == [one[3:] for one in whole]


@pytest.mark.parametrize(("passes", "per_step", "steps"), [(8, 4, 2), (9, 4, 3), (1, 4, 1)])
def test_steps_of_an_epoch(passes, per_step, steps):
    assert steps_of_epoch(passes, per_step) == steps


# ------------------------------------------------------------------------------ data set


def test_the_data_set_is_that_of_the_config(dataset, shapes):
    assert len(dataset) == 8 - shapes["splits"]["train"]["images_without_objects"]
    assert list(dataset.metainfo["classes"]) == shapes["classes"]
    assert dataset.cat_ids == shapes["category_ids"]
    sample = KeyedDataset(dataset, 0)[0, 0]
    assert tuple(sample["inputs"].shape) == (3, 128, 160)
    assert len(sample["data_samples"].gt_instances) > 0


def test_orientation_is_that_of_the_image(dataset):
    assert wide_images(dataset) == [True] * len(dataset)

    class Square:
        def __len__(self):
            return 3

        def get_data_info(self, index):
            return {"width": [10, 20, 20][index], "height": [20, 10, 20][index]}

    assert wide_images(Square()) == [False, True, False]


def test_a_missing_annotation_file_is_named(shapes, tmp_path):
    cfg = resolve(tiny.entry("mask_1x"), load_scale("smoke"), 0, shapes)
    missing = tmp_path / "none.json"
    cfg.train_dataloader.dataset.ann_file = str(missing)
    with pytest.raises(UserError, match=f"{missing}: no such annotation file; check the config"):
        build_dataset(cfg.train_dataloader)
