"""What a model's own pipeline cannot read is refused or said before anything is trained."""

import copy
import json
import logging
from pathlib import Path

import pytest
from mmengine.dataset import RepeatDataset

from r3cnn.core.errors import UserError
from r3cnn.data.learnt import require_objects
from r3cnn.data.loading import build_dataset, require_checked_annotations


@pytest.fixture
def loader(looped) -> dict:
    """The dataloader of a training config, to be changed."""
    return copy.deepcopy(looped[0].train_dataloader.to_dict())


def rewritten(loader: dict, folder: Path, edit) -> list[dict]:
    """Let the loader read changed annotations; those that are no crowd."""
    content = json.loads(Path(loader["dataset"]["ann_file"]).read_text())
    objects = [one for one in content["annotations"] if not one["iscrowd"]]
    edit(content, objects)
    loader["dataset"]["ann_file"] = str(folder / "train.json")
    (folder / "train.json").write_text(json.dumps(content))
    return objects


def polygons_only(loader: dict) -> None:
    for step in loader["dataset"]["pipeline"]:
        if step["type"] == "LoadAnnotations":
            step["poly2mask"] = False


def in_run_lengths(content: dict, objects: list[dict]) -> None:
    sizes = {one["id"]: [one["height"], one["width"]] for one in content["images"]}
    for one in objects:
        height, width = sizes[one["image_id"]]
        one["segmentation"] = {"size": [height, width], "counts": [0, height * width]}


def test_the_objects_of_a_sound_set_are_counted(loader, caplog):
    dataset = build_dataset(loader)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    objects = sum(not one["ignore_flag"] for info in infos for one in info["instances"])
    with caplog.at_level(logging.INFO, logger="r3cnn"):
        require_objects(dataset, "train.json")
    (record,) = caplog.records
    assert record.getMessage() == (
        f"train.json: {objects} objects in {len(dataset)} images to train on"
    )


@pytest.mark.parametrize("wrapped", [False, True])
def test_run_lengths_that_only_polygons_may_be(loader, tmp_path, wrapped):
    objects = rewritten(loader, tmp_path, in_run_lengths)
    require_objects(build_dataset(loader), "train.json")
    polygons_only(loader)
    dataset = build_dataset(loader)
    dataset = RepeatDataset(dataset, times=2) if wrapped else dataset
    with pytest.raises(
        UserError, match=rf"none of {len(objects) * (1 + wrapped)} objects"
    ) as caught:
        require_objects(dataset, "train.json")
    assert str(caught.value).startswith("train.json: no object to train on: ")
    assert "poly2mask=True" in str(caught.value)


def test_some_run_lengths_among_polygons_are_said(loader, tmp_path, caplog):
    def edit(content: dict, objects: list[dict]) -> None:
        for one in objects:
            x, y, width, height = one["bbox"]
            one["segmentation"] = [[x, y, x + width, y, x + width, y + height]]
        in_run_lengths(content, objects[:2])

    objects = rewritten(loader, tmp_path, edit)
    polygons_only(loader)
    with caplog.at_level(logging.WARNING, logger="r3cnn"):
        require_objects(build_dataset(loader), "train.json")
    (record,) = caplog.records
    assert "2 objects whose masks" in record.getMessage()
    assert str(objects[0]["image_id"]) in record.getMessage()


def test_a_set_of_crowds_is_refused(loader, tmp_path):
    rewritten(loader, tmp_path, lambda _, objects: [one.update(iscrowd=1) for one in objects])
    with pytest.raises(UserError, match="no object to train on: none there"):
        require_objects(build_dataset(loader), "train.json")


def test_a_training_begins_with_it(looped, tmp_path):
    """Nothing is written where nothing can be learnt."""
    from r3cnn.training.trainer import Trainer

    cfg = copy.deepcopy(looped[0])
    plain = cfg.train_dataloader.to_dict()
    rewritten(plain, tmp_path, lambda content, _: content.update(annotations=[]))
    cfg.train_dataloader.dataset.ann_file = plain["dataset"]["ann_file"]
    cfg.r3cnn.data = None
    with pytest.raises(UserError, match="no object to train on"):
        Trainer(cfg, tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_annotations_that_nothing_has_checked(loader, tmp_path):
    """They reach C code too, where a config was made without data.json."""

    def edit(content: dict, objects: list[dict]) -> None:
        objects[0]["segmentation"] = [[1, 1, 2e8, 3e8, 5, 5]]

    objects = rewritten(loader, tmp_path, edit)
    with pytest.raises(UserError, match=rf"train.json: annotation {objects[0]['id']}: .*2000000"):
        require_checked_annotations(loader, None, "train")
