import filecmp
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from r3cnn.core.errors import UserError
from r3cnn.data import SPLITS, annotation_file, image_folder
from r3cnn.data.synthetic import drawing, scene, shapes

SMOKE = {"train": 48, "val": 16, "width": 160, "height": 128, "classes": 6, "seed": 0}
SMALL = SMOKE | {"train": 8, "val": 3}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("smoke") / "data"
    shapes.generate(folder, **SMOKE)
    return folder


def content(folder: Path, split: str) -> dict:
    return json.loads(annotation_file(folder, split).read_text())


def masks(coco: COCO, image_id: int) -> list[np.ndarray]:
    return [coco.annToMask(one).astype(bool) for one in coco.imgToAnns[image_id]]


def same_files(one: Path, other: Path) -> bool:
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    others = sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    return names == others and not filecmp.cmpfiles(one, other, names, shallow=False)[1]


def test_layout_and_keys_are_those_of_coco(smoke):
    assert sorted(path.name for path in smoke.iterdir()) == [
        "annotations",
        "shapes.json",
        "train2017",
        "val2017",
    ]
    assert json.loads((smoke / "shapes.json").read_text()) == SMOKE | {"objects": [1, 6]}
    for split in SPLITS:
        data = content(smoke, split)
        assert set(data) == {"info", "licenses", "images", "annotations", "categories"}
        assert len(data["images"]) == SMOKE[split]
        names = {image["file_name"] for image in data["images"]}
        assert names == {path.name for path in image_folder(smoke, split).iterdir()}
        assert [one["name"] for one in data["categories"]] == list(drawing.SHAPES)[:6]
        with Image.open(image_folder(smoke, split) / min(names)) as image:
            assert (image.size, image.mode) == ((160, 128), "RGB")


def test_class_colours_are_off_unless_asked_for(smoke, tmp_path):
    """Files of the settings that smoke has stay as they are."""
    shapes.generate(tmp_path / "off", **SMALL, class_colours=False)
    shapes.generate(tmp_path / "plain", **SMALL)
    shapes.generate(tmp_path / "on", **SMALL, class_colours=True)
    assert same_files(tmp_path / "off", tmp_path / "plain")
    assert json.loads((tmp_path / "on" / "shapes.json").read_text())["class_colours"] is True
    assert content(tmp_path / "on", "train")["annotations"] != []
    assert not same_files(tmp_path / "on", tmp_path / "plain")


def test_with_class_colours_an_objects_colour_tells_its_class(tmp_path):
    right = total = 0
    for index in range(30):
        rng = np.random.default_rng([1, index])
        drawn = scene.draw(rng, index, 128, 128, 10, (1, 6), True)
        for one in (one for one in drawn.instances if not one.crowd):
            colour = np.median(drawn.pixels[one.visible], axis=0)
            nearest = np.abs(drawing.CLASS_COLOURS[:10] - colour).sum(axis=1).argmin()
            right, total = right + (nearest == one.category), total + 1
    assert total > 50
    assert right > 0.8 * total


def test_same_seed_same_files_and_other_seed_other_files(tmp_path):
    shapes.generate(tmp_path / "one", **SMALL)
    shapes.generate(tmp_path / "two", **SMALL)
    shapes.generate(tmp_path / "other", **SMALL | {"seed": 1})
    assert same_files(tmp_path / "one", tmp_path / "two")
    assert not same_files(tmp_path / "one", tmp_path / "other")


def test_an_image_does_not_depend_on_how_many_there_are(smoke, tmp_path):
    shapes.generate(tmp_path / "few", **SMALL)
    for split in SPLITS:
        few, many = content(tmp_path / "few", split), content(smoke, split)
        assert few["images"] == many["images"][: SMALL[split]]
        assert few["annotations"] == many["annotations"][: len(few["annotations"])]
        for image in few["images"]:
            name = image["file_name"]
            assert filecmp.cmp(
                image_folder(tmp_path / "few", split) / name,
                image_folder(smoke, split) / name,
                shallow=False,
            )


def test_splits_share_no_image(smoke):
    train, val = (content(smoke, split) for split in SPLITS)
    assert not {one["id"] for one in train["images"]} & {one["id"] for one in val["images"]}
    pixels = {
        path.read_bytes() for split in SPLITS for path in image_folder(smoke, split).iterdir()
    }
    assert len(pixels) == SMOKE["train"] + SMOKE["val"]


@pytest.mark.parametrize("split", SPLITS)
def test_area_and_box_are_those_of_the_decoded_mask(smoke, split):
    coco = COCO(annotation_file(smoke, split))
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        rows, columns = np.nonzero(mask)
        x, y = columns.min(), rows.min()
        assert annotation["area"] == mask.sum()
        assert annotation["bbox"] == [x, y, columns.max() - x + 1, rows.max() - y + 1]


def test_masks_of_an_image_do_not_overlap(smoke):
    coco = COCO(annotation_file(smoke, "train"))
    for image_id in coco.imgs:
        assert np.sum(masks(coco, image_id) or [np.zeros((1, 1))], axis=0).max() <= 1


def test_the_masks_are_the_visible_pixels(monkeypatch):
    """Painted in the number of the instance, without noise."""
    hidden = []

    def paint(drawn, rng, mask):
        drawn.pixels[mask] = len(drawn.instances)
        hidden.extend(old for old in drawn.instances if old.visible.sum() < old.whole_area)

    monkeypatch.setattr(scene, "_paint", paint)
    monkeypatch.setattr(scene, "_background", lambda rng, h, w: np.zeros((h, w, 3), int))
    monkeypatch.setattr(scene, "_finish", lambda pixels, rng: pixels)
    for index in range(20):
        drawn = scene.draw(np.random.default_rng(index), index, 160, 128, 12, (3, 6))
        for number, instance in enumerate(drawn.instances, start=1):
            np.testing.assert_array_equal(drawn.pixels[..., 0] == number, instance.visible)
            assert instance.visible.sum() >= 0.35 * instance.whole_area
    assert len(hidden) > 20


def test_objects_of_coco_s_three_sizes_crowds_and_empty_images(smoke):
    for split in SPLITS:
        data = content(smoke, split)
        objects = [one for one in data["annotations"] if not one["iscrowd"]]
        areas = np.array([one["area"] for one in objects])
        sizes = np.histogram(areas, [0, 32**2, 96**2, np.inf])[0]
        assert sizes[:2].min() > 0.3 * len(areas)
        assert sizes[2] > 0
        assert {one["category_id"] for one in objects} == {1, 3, 5, 7, 9, 11}
        annotated = {one["image_id"] for one in data["annotations"]}
        assert 0 < len(data["images"]) - len(annotated) < 0.2 * len(data["images"])
        kinds = {type(one["segmentation"]) for one in objects}
        assert kinds == {list, dict}
        assert any(len(one["segmentation"]) > 1 for one in objects if "counts" not in one)


def test_a_crowd_is_several_small_objects_in_run_lengths(smoke):
    coco = COCO(annotation_file(smoke, "train"))
    crowds = [one for one in coco.anns.values() if one["iscrowd"]]
    assert len(crowds) > 3
    for crowd in crowds:
        assert isinstance(crowd["segmentation"]["counts"], list)
        assert crowd["area"] < 0.6 * crowd["bbox"][2] * crowd["bbox"][3]


def test_every_shape_is_unlike_every_other():
    assert len(drawing.SHAPES) >= 12
    upright = [drawing.shape_mask(name, 60, 1, 0) for name in drawing.SHAPES]
    for i, one in enumerate(upright):
        assert 0.2 * 60**2 < one.sum() < 60**2
        for other in upright[:i]:
            assert (one & other).sum() < 0.85 * (one | other).sum()


def test_object_range_is_kept(tmp_path):
    shapes.generate(tmp_path / "data", **SMALL, objects=(2, 2))
    data = content(tmp_path / "data", "train")
    objects = [one["image_id"] for one in data["annotations"] if not one["iscrowd"]]
    assert max(map(objects.count, objects)) == 2


def test_an_earlier_set_is_replaced_whole(tmp_path):
    folder = tmp_path / "data"
    shapes.generate(folder, **SMALL)
    shapes.generate(folder, **SMALL | {"train": 2})
    assert len(list((folder / "train2017").iterdir())) == 2
    assert list(tmp_path.iterdir()) == [folder]


def test_empty_folders_may_stand_in_the_way(tmp_path):
    (tmp_path / "data" / "annotations").mkdir(parents=True)
    shapes.generate(tmp_path / "data", **SMALL)
    assert (tmp_path / "data" / "shapes.json").is_file()


def test_a_folder_of_other_content_is_left_alone(tmp_path):
    mine = tmp_path / "data" / "train2017" / "mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(UserError, match=r"no shapes\.json of one.*move the files away first"):
        shapes.generate(tmp_path / "data", **SMALL)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


MINE = {
    "beside": ("notes.txt", "shapes.json of a generated set"),
    "among the images": ("train2017/holiday.png", "shapes.json of a generated set"),
    "an image more": ("train2017/000000000099.png", "shapes.json of a generated set"),
    "with a file of that name": ("train2017/000000000001.png", '{"shapes": ["mine"]}'),
    "with a list of that name": ("notes.txt", "[1, 2]"),
}


@pytest.mark.parametrize("case", MINE)
def test_files_of_the_user_s_own_are_not_lost(tmp_path, case):
    """Also where the folder holds a shapes.json, ours or another."""
    folder = tmp_path / "data"
    name, marker = MINE[case]
    if marker.startswith("shapes.json"):
        shapes.generate(folder, **SMALL)
    else:
        (folder / "train2017").mkdir(parents=True)
        (folder / "shapes.json").write_text(marker)
    (folder / name).write_text("precious")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="move the files away first") as caught:
        shapes.generate(folder, **SMALL | {"train": 2})
    assert str(folder) in str(caught.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_a_link_to_a_folder_of_the_user_s_own_is_not_lost(tmp_path):
    folder, photos = tmp_path / "data", tmp_path / "photos"
    photos.mkdir()
    shapes.generate(folder, **SMALL)
    (folder / "val2017" / "more").symlink_to(photos)
    with pytest.raises(UserError, match="val2017/more is not a file of it"):
        shapes.generate(folder, **SMALL)
    assert (folder / "val2017" / "more").is_symlink()


def test_an_interruption_leaves_the_earlier_set(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    shapes.generate(folder, **SMALL)
    before = annotation_file(folder, "val").read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shapes, "_annotation_records", interrupt)
    with pytest.raises(KeyboardInterrupt):
        shapes.generate(folder, **SMALL | {"seed": 1})
    assert annotation_file(folder, "val").read_bytes() == before
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": 99}, "classes: 99 found, expected a whole number from 1 to 12"),
        ({"train": 0}, "train: 0 found, expected a whole number from 1 to"),
        ({"width": 20.5}, "width: 20.5 found, expected a whole number from 64"),
        ({"seed": -1}, "seed: -1 found, expected a whole number from 0"),
        ({"objects": (4, 2)}, r"objects: \(4, 2\) found, expected \[least, most\]"),
        ({"objects": 3}, r"objects: 3 found, expected \[least, most\]"),
    ],
)
def test_values_out_of_range(tmp_path, wrong, message):
    with pytest.raises(UserError, match=f"{message}.*correct it in the scale file"):
        shapes.generate(tmp_path / "data", **SMALL | wrong)
    assert not any(tmp_path.iterdir())
