"""`data check` counts what the built data set holds, and says what it leaves out."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from r3cnn.core.errors import UserError
from r3cnn.data import annotation_file, image_folder
from r3cnn.data.check import check
from r3cnn.data.loading import build_dataset
from r3cnn.data.synthetic.shapes import generate

WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "data"
    generate(folder, train=8, val=4, width=WIDTH, height=HEIGHT, classes=3, seed=0)
    for split in ("train", "val"):  # neither crowds nor images without objects
        content = json.loads(annotation_file(folder, split).read_text())
        for one in content["annotations"]:
            one["iscrowd"] = 0
            if isinstance(one["segmentation"], dict):  # whose size is its image's
                x, y, width, height = one["bbox"]
                one["segmentation"] = [[x, y, x + width, y, x, y + height]]
        used = {one["image_id"] for one in content["annotations"]}
        content["images"] = [one for one in content["images"] if one["id"] in used]
        annotation_file(folder, split).write_text(json.dumps(content))
    return folder


@pytest.fixture
def folder(sound, tmp_path) -> Path:
    return shutil.copytree(sound, tmp_path / "data")


def change(folder: Path, split: str, edit: Callable[[dict], None]) -> dict:
    file = annotation_file(folder, split)
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))
    for one in content["images"]:
        size = one["width"], one["height"]
        if size != (WIDTH, HEIGHT):
            Image.new("RGB", size).save(image_folder(folder, split) / one["file_name"])
    return content


def built(folder: Path, classes: list[str]) -> dict[str, int]:
    """The counts of mmdet's data set itself, as a config of the catalogue builds it."""
    loader = {
        "dataset": {
            "type": "CocoDataset",
            "ann_file": str(annotation_file(folder, "train")),
            "data_prefix": {"img": f"{image_folder(folder, 'train')}/"},
            "metainfo": {"classes": tuple(classes)},
            "filter_cfg": {"filter_empty_gt": True, "min_size": 32},
            "pipeline": [],
        }
    }
    dataset = build_dataset(loader)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    crowds = [[one["ignore_flag"] for one in info["instances"]] for info in infos]
    return {
        "trained_images": len(infos),
        "object_count": sum(flags.count(0) for flags in crowds),
        "crowd_count": sum(flags.count(1) for flags in crowds),
    }


def first(number: int, **fields: object) -> Callable[[dict], None]:
    """Change the first annotations."""

    def edit(content: dict) -> None:
        for one in content["annotations"][:number]:
            one.update(fields)

    return edit


def beside(content: dict) -> None:
    for one in content["annotations"][:2]:
        one["bbox"] = [WIDTH + 4, 5, 10, 10]


def small(content: dict) -> None:
    content["images"][0]["width"] = 31


# Each: what is done to the training annotations, the reason, and how many annotations it takes (None: of
# the first image).
REASONS = {
    "area 0": (first(2, area=0), "their `area` is 0 or less", 2),
    "a negative area": (first(3, area=-1.5), "their `area` is 0 or less", 3),
    "an area above 0 in a box of half a pixel": (
        first(2, area=0.5, bbox=[5, 5, 0.5, 1]),
        "their box is less than a pixel wide or high",
        2,
    ),
    "no width": (first(1, bbox=[5, 5, 0, 10]), "their box has no area", 1),
    "a negative height": (first(1, bbox=[5, 5, 10, -1]), "their box has no area", 1),
    "half a pixel": (first(1, bbox=[5, 5, 0.5, 10]), "less than a pixel wide or high", 1),
    "beside the image": (beside, "their box lies outside its image", 2),
    "left of the image": (first(1, bbox=[-20, 5, 20, 10]), "box lies outside its image", 1),
    "a flag": (first(2, ignore=1), "they have the flag `ignore`", 2),
    "a flag of text": (first(1, ignore="false"), "they have the flag `ignore`", 1),
    "a small image": (small, "less than 32 pixels wide or high", None),
}


@pytest.mark.parametrize("case", REASONS)
def test_what_training_leaves_out_is_said_and_counted(folder, caplog, case):
    edit, reason, count = REASONS[case]
    content = change(folder, "train", edit)
    annotations = content["annotations"]
    image = content["images"][0]["id"]
    ids = [one["id"] for one in annotations if one["image_id"] == image]
    ids = ids if count is None else [one["id"] for one in annotations[:count]]
    with caplog.at_level(logging.WARNING):
        result = check(folder)
    train = result["splits"]["train"]
    own = built(folder, result["classes"])
    assert {name: train[name] for name in own} == own
    assert own["object_count"] == len(annotations) - len(ids)
    (line,) = [line for line in train["warnings"] if "annotations are left out" in line]
    assert line.startswith(f"{len(ids)} of {len(annotations)} annotations are left out of the tr")
    assert reason in line
    assert all(str(id_) in line for id_ in ids[:5])
    assert any(line in record.getMessage() for record in caplog.records)
    assert len(ids) in train["left_out"].values()


def test_small_and_bare_images_are_said(folder):
    def edit(content: dict) -> None:
        small(content)
        bare = content["images"][1]["id"]
        kept = [one for one in content["annotations"] if one["image_id"] != bare]
        content["annotations"] = kept

    content = change(folder, "train", edit)
    train = check(folder)["splits"]["train"]
    images = len(content["images"])
    assert train["trained_images"] == images - 2
    for image, reason in zip(content["images"][:2], ("less than 32", "without any"), strict=True):
        (line,) = [line for line in train["warnings"] if f"1 of {images} images" in line
                   and reason in line]  # fmt: skip
        assert f"({image['id']})" in line


def test_a_sound_folder_warns_of_nothing(folder):
    for split in check(folder)["splits"].values():
        assert (split["warnings"], split["left_out"]) == ([], {})


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        (lambda content: content.update(annotations=[]), "0 annotations"),
        (first(1000, area=0), "`area` is 0 or less"),
        (first(1000, iscrowd=1), "are crowds"),
        (first(1000, ignore=True), "flag `ignore`"),
        (lambda content: [one.update(height=20) for one in content["images"]], "32 pixels"),
    ],
)
def test_nothing_to_train_on_is_refused(folder, edit, part):
    change(folder, "train", edit)
    with pytest.raises(UserError) as caught:
        check(folder)
    message = str(caught.value)
    assert message.startswith(f"{annotation_file(folder, 'train')}: annotations: no object to tra")
    assert part in message
    assert "\n" not in message


def test_what_the_score_does_not_count_or_never_finds_is_said(folder):
    def edit(content: dict) -> None:
        for one, fields in zip(content["annotations"], FIELDS, strict=False):
            one.update(fields)

    content = change(folder, "val", edit)
    ids = [one["id"] for one in content["annotations"]]
    val = check(folder)["splits"]["val"]
    assert (val["object_count"], val["annotation_count"]) == (len(ids) - 3, len(ids))
    assert val["crowd_count"] == 1
    lines = dict(zip(("are not scored", "never found: their box", "the mask of 1"), val["warnings"],
                     strict=True))  # fmt: skip
    for part, of in zip(lines, (ids[:2], ids[2:4], ids[5:6]), strict=True):
        assert part in lines[part]
        assert f"({', '.join(map(str, of))})" in lines[part]


FIELDS = [
    {"area": -1},
    {"area": 2e10},
    {"bbox": [5, 5, 0, 5]},
    {"bbox": [200, 5, 10, 10]},
    {"iscrowd": 1},
    {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [WIDTH * HEIGHT]}},
]


def test_a_val_split_of_crowds_is_said(folder):
    change(folder, "val", first(1000, iscrowd=1))
    val = check(folder)["splits"]["val"]
    assert val["object_count"] == 0
    assert any("no object to find" in line for line in val["warnings"])


def test_a_box_without_area_needs_a_mask_only_where_it_is_scored(folder):
    flat = first(1, bbox=[5, 5, 0, 5], segmentation=[])
    change(folder, "train", flat)
    assert check(folder)["splits"]["train"]["left_out"] == {"their box has no area": 1}
    change(folder, "val", flat)
    with pytest.raises(UserError, match="no polygon found"):
        check(folder)


def test_masks_without_a_pixel_are_said(folder):
    counts = [WIDTH * HEIGHT]
    empty = {"size": [HEIGHT, WIDTH], "counts": counts}
    for segmentation in (empty, empty | {"counts": "PP6"}, [[100, 1, 105, 1, 105, 9]]):
        change(folder, "train", first(2, segmentation=segmentation))
        (line,) = check(folder)["splits"]["train"]["warnings"]
        assert line.startswith("the mask of 2 objects has no pixel in the image and is learnt")
