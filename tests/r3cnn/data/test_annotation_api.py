"""mmdet's data sets read UTF-8 under every login, and stop where their classes are not all found."""

import builtins
import copy
import json
from pathlib import Path

import pytest

from r3cnn.catalogue.scales import load_scale
from r3cnn.config.resolve import resolve
from r3cnn.core.errors import UserError
from r3cnn.data import SPLITS, annotation_file
from r3cnn.data.check import check
from r3cnn.data.loading import build_dataset
from r3cnn.data.synthetic.shapes import generate
from tests.r3cnn import tiny

NAMES = ["größe", "猫", "disc"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict:
    """A data set whose classes have names in several scripts, in raw UTF-8; checked."""
    folder = tmp_path_factory.mktemp("named") / "data"
    generate(folder, train=8, val=4, width=96, height=64, classes=3, seed=0)
    for split in SPLITS:
        content = json.loads(annotation_file(folder, split).read_text(encoding="utf-8"))
        for category, name in zip(content["categories"], NAMES, strict=True):
            category["name"] = name
        text = json.dumps(content, ensure_ascii=False)
        annotation_file(folder, split).write_text(text, encoding="utf-8")
    return check(folder)


@pytest.fixture(scope="module")
def loader(data) -> dict:
    return resolve(tiny.entry("mask_1x"), load_scale("smoke"), 0, data).train_dataloader


@pytest.fixture
def latin_1(monkeypatch) -> None:
    """As under a login of that encoding: `open` without one takes it."""
    original = builtins.open

    def opened(file, mode="r", buffering=-1, encoding=None, *rest, **options):
        encoding = encoding or (None if "b" in mode else "latin-1")
        return original(file, mode, buffering, encoding, *rest, **options)

    monkeypatch.setattr(builtins, "open", opened)


def labels(dataset) -> list[int]:
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [item["bbox_label"] for info in infos for item in info["instances"]]


def test_the_data_set_is_the_same_under_another_encoding(loader, latin_1):
    found = build_dataset(copy.deepcopy(loader))
    content = json.loads(Path(loader["dataset"]["ann_file"]).read_bytes())
    places = {category["id"]: i for i, category in enumerate(content["categories"])}
    assert found.cat_ids == list(places)
    assert list(found.metainfo["classes"]) == NAMES
    expected = [places[one["category_id"]] for one in content["annotations"]]
    assert sorted(labels(found)) == sorted(expected)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["größe", "cat", "dog"], "no category 'cat' (2 of 3 classes are missing)"),
        (["gr\u00c3\u00b6\u00c3\u0178e", "猫", "disc"], "(1 of 3 classes are missing)"),
        (
            ["disc", "猫", "größe"],
            "the order ['größe', '猫', 'disc'], expected ['disc', '猫', 'größe']",
        ),
    ],
)
def test_classes_that_are_not_all_found_stop(loader, classes, expected):
    cfg = copy.deepcopy(loader)
    cfg.dataset.metainfo = {"classes": tuple(classes)}
    with pytest.raises(UserError) as caught:
        build_dataset(cfg)
    assert str(caught.value).startswith(f"{cfg.dataset.ann_file}: categories: ")
    assert expected in str(caught.value)


def test_two_categories_of_one_name_stop(loader, tmp_path):
    cfg = copy.deepcopy(loader)
    content = json.loads(Path(cfg.dataset.ann_file).read_bytes())
    content["categories"].append({"id": 99, "name": "disc"})
    cfg.dataset.ann_file = str(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match="two categories of one name"):
        build_dataset(cfg)


def test_some_of_the_classes_in_the_file_s_order_are_mmdet_s_own_filter(loader):
    cfg = copy.deepcopy(loader)
    cfg.dataset.metainfo = {"classes": ("größe", "disc")}
    assert set(labels(build_dataset(cfg))) <= {0, 1}
