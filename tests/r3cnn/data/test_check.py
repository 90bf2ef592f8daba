import hashlib
import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from r3cnn.core.errors import UserError
from r3cnn.data import SPLITS, annotation_file, image_folder
from r3cnn.data.check import check
from r3cnn.data.synthetic.shapes import generate
from tests.r3cnn.data.test_headers import huge_png

SHARED = Path(os.environ.get("R3CNN_SHARED", Path(__file__).parents[3].parent / "shared"))
PARAMETERS = {"train": 8, "val": 2, "width": 96, "height": 64, "classes": 3, "seed": 0}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "data"
    generate(folder, **PARAMETERS)
    return folder


@pytest.fixture
def folder(sound, tmp_path) -> Path:
    """A sound data folder that a test may spoil."""
    return shutil.copytree(sound, tmp_path / "data")


def load(folder: Path, split: str) -> dict:
    return json.loads(annotation_file(folder, split).read_text())


def save(folder: Path, split: str, content: object) -> None:
    annotation_file(folder, split).write_text(json.dumps(content))


def complaint(folder: Path) -> str:
    """The message about a folder: one line."""
    with pytest.raises(UserError) as caught:
        check(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_sound_folder(sound):
    result = check(sound)
    assert result["root"] == str(sound)
    assert result["generated"] == PARAMETERS | {"objects": [1, 6]}
    assert result["classes"] == ["disc", "square", "triangle"]
    assert result["category_ids"] == [1, 3, 5]
    assert list(result["splits"]) == ["train", "val"]
    for split in SPLITS:
        content = load(sound, split)
        crowds = sum(one["iscrowd"] for one in content["annotations"])
        with_objects = {one["image_id"] for one in content["annotations"] if not one["iscrowd"]}
        annotated = {one["image_id"] for one in content["annotations"]}
        every = {one["id"] for one in content["images"]}
        bare = every - annotated if split == "train" else set()
        file = annotation_file(sound, split)
        assert result["splits"][split] == {
            "annotations": str(file),
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "images": str(image_folder(sound, split)),
            "image_count": PARAMETERS[split],
            "image_bytes": sum(p.stat().st_size for p in image_folder(sound, split).iterdir()),
            "annotation_count": len(content["annotations"]),
            "object_count": len(content["annotations"]) - crowds,
            "crowd_count": crowds,
            "images_without_objects": PARAMETERS[split] - len(with_objects),
            "left_out": {"they are without any annotation": len(bare)} if bare else {},
            "warnings": result["splits"][split]["warnings"],
            **({"trained_images": len(annotated)} if split == "train" else {}),
        }
        assert len(result["splits"][split]["warnings"]) == bool(bare)
    assert result["splits"]["train"]["crowd_count"] > 0
    assert result["splits"]["train"]["images_without_objects"] > 0


def renamed(folder: Path, change) -> None:
    """Change the file_name of each training image: `change` gives the name in the file, and on disk."""
    content = load(folder, "train")
    for image in content["images"]:
        old = image_folder(folder, "train") / image["file_name"]
        image["file_name"], there = change(image["file_name"])
        new = image_folder(folder, "train") / there
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
    save(folder, "train", content)


FOUND = {
    "sub folders": lambda name: (f"cam 1/{name}",) * 2,
    "deeper": lambda name: (f"a/b/{name}",) * 2,
    "a dot": lambda name: (f"./{name}", name),
    "up and down": lambda name: (f"../train2017/{name}", name),
    "umlauts": lambda name: (f"größe {name}",) * 2,
}


@pytest.mark.parametrize("case", FOUND)
def test_what_mmdet_would_find_is_found(sound, folder, case):
    renamed(folder, FOUND[case])
    found, expected = (check(one)["splits"]["train"] for one in (folder, sound))
    assert found["image_bytes"] == expected["image_bytes"]
    assert found["image_count"] == expected["image_count"]


def nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


# What the annotations say, what is on disk, and what the message names.
LOOKALIKES = {
    "NFD on disk": (lambda n: (f"größe {n}", nfd(f"größe {n}")), "another Unicode form (NFD"),
    "NFC on disk": (lambda n: (nfd(f"größe {n}"), f"größe {n}"), "another Unicode form (NFC"),
    "capitals": (lambda n: (n.replace(".png", ".PNG"), n), "upper and lower case only"),
    "both": (lambda n: (f"GRÖSSE{n}", nfd(f"grösse{n}")), "upper and lower case only"),
    "in a sub folder": (lambda n: (f"a/É{n}", nfd(f"a/É{n}")), "another Unicode form"),
    "codes": (lambda n: (f"my%20{n}", f"my {n}"), "without %-codes"),
    "a folder that is not there": (lambda n: (f"images/1/{n}", n), "without images/1/"),
    "backslashes": (lambda n: (f"a\\{n}", f"a/{n}"), "with / between folders"),
}


@pytest.mark.parametrize("case", LOOKALIKES)
def test_a_name_that_looks_like_one_on_disk_is_said_so(folder, case):
    change, words = LOOKALIKES[case]
    renamed(folder, change)
    message = complaint(folder)
    assert "8 of 8 images of instances_train2017.json missing" in message
    assert words in message


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_sizes_before_turning_are_named_before_anything_is_trained(folder, kind):
    for image in load(folder, "train")["images"]:
        path = image_folder(folder, "train") / image["file_name"]
        exif = Image.Exif()
        exif[0x0112] = 6
        with Image.open(path) as picture:
            picture.save(path, kind, exif=exif)
    message = complaint(folder)
    assert "000000000001.png: 64 x 96 pixels found, expected the annotation's 96 x 64" in message
    assert "EXIF orientation (6)" in message


def test_a_picture_of_another_size_or_too_many_pixels_is_named(folder):
    first, second = (
        image_folder(folder, split) / load(folder, split)["images"][1]["file_name"]
        for split in SPLITS
    )
    Image.new("RGB", (30, 20)).save(second)
    assert f"{second.name}: 30 x 20 pixels found, expected the annotation's 96" in complaint(folder)
    first.write_bytes(huge_png(33_000))
    message = complaint(folder)
    assert f"{first.name}: 33000 x 33000 pixels found" in message
    assert "make it smaller" in message


@pytest.mark.skipif(not (SHARED / "coco-tiny").is_dir(), reason="no coco-tiny")
def test_coco_tiny_passes():
    result = check(SHARED / "coco-tiny")
    assert result["generated"] is None
    assert (len(result["classes"]), result["category_ids"][-1]) == (80, 90)
    splits = result["splits"].values()
    assert [split["image_count"] for split in splits] == [80, 80]
    assert [split["object_count"] for split in splits] == [699, 804]
    assert [split["crowd_count"] for split in splits] == [6, 11]


def test_info_licenses_and_unlisted_images_are_not_needed(folder):
    content = load(folder, "val")
    del content["info"], content["licenses"]
    save(folder, "val", content)
    before = check(folder)["splits"]["val"]["image_bytes"]
    (folder / "val2017" / "unlisted.png").write_bytes(b"more")
    assert check(folder)["splits"]["val"]["image_bytes"] == before


# Each: what is done to the folder, then what the message must name.
LAYOUT = {
    "folder": (shutil.rmtree, ["data: no such folder", "annotations/", "r3cnn data shapes"]),
    "annotations": (
        lambda folder: annotation_file(folder, "val").unlink(),
        ["instances_val2017.json: no such file", "expected", "missing files"],
    ),
    "images": (
        lambda folder: shutil.rmtree(folder / "train2017"),
        ["train2017: no such folder", "expected the images of train", "missing files"],
    ),
    "one image": (
        lambda folder: (folder / "val2017" / "000000500002.png").unlink(),
        ["val2017: 1 of 2 images", "instances_val2017.json", "000000500002.png", "missing files"],
    ),
    "broken link": (
        lambda folder: (
            (folder / "val2017" / "000000500001.png").unlink(),
            (folder / "val2017" / "000000500001.png").symlink_to("nowhere"),
        ),
        ["val2017: 1 of 2 images", "000000500001.png"],
    ),
    "many images": (
        lambda folder: [path.unlink() for path in (folder / "train2017").iterdir()],
        ["8 of 8 images", "000000000001.png", "000000000005.png and 3 more not found"],
    ),
    "empty image": (
        lambda folder: (folder / "val2017" / "000000500001.png").write_bytes(b""),
        ["val2017: 000000500001.png: 0 bytes", "expected an image", "fetch it again"],
    ),
}


@pytest.mark.parametrize("case", LAYOUT)
def test_missing_and_empty_files(folder, case):
    spoil, parts = LAYOUT[case]
    spoil(folder)
    message = complaint(folder)
    assert all(part in message for part in parts), message


FILES = {
    "cut": (lambda data: data[:-100], ["invalid JSON", "line 1 column", "cut off"]),
    "empty": (lambda data: b"", ["invalid JSON", "cut off"]),
    "no JSON": (lambda data: b"<html>", ["invalid JSON", "fetch or write it again"]),
    "UTF-16": (lambda data: data.decode().encode("utf-16"), ["byte 0 is not UTF-8", "convert"]),
    "Latin-1": (
        lambda data: data.replace(b'"disc"', '"größe"'.encode("latin-1")),
        ["is not UTF-8", "expected JSON in UTF-8", "convert"],
    ),
    "a list": (lambda data: b"[]", ["a JSON list found", "expected an object", "COCO 2017"]),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_are_no_annotations(folder, case):
    spoil, parts = FILES[case]
    file = annotation_file(folder, "train")
    file.write_bytes(spoil(file.read_bytes()))
    message = complaint(folder)
    assert message.startswith(str(file))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("text", ["[" * 100_000, '{"images": [' + "1" * 5000 + "]}"])
def test_json_that_python_cannot_read(folder, text):
    annotation_file(folder, "train").write_text(text)
    message = complaint(folder)
    assert message.startswith(f"{annotation_file(folder, 'train')}: JSON that cannot be read (")


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_missing_keys(folder, key):
    content = load(folder, "val")
    del content[key]
    save(folder, "val", content)
    message = complaint(folder)
    assert f"instances_val2017.json: {key}: the key is missing" in message
    assert "use an instances file" in message
    save(folder, "val", content | {key: [3]})
    assert f"{key}: expected a list of objects" in complaint(folder)


def annotation(**changes):
    """Change the first annotation, which is no crowd."""
    return lambda content: content["annotations"][0].update(changes)


def entry(section, number=0, **changes):
    return lambda content: content[section][number].update(changes)


def repeat(section):
    return lambda content: content[section].append(content[section][0])


CONTENT = {
    "no images": (
        lambda content: content.update(images=[], annotations=[]),
        ["images: none found", "expected one at least", "use a split with images"],
    ),
    "no categories": (
        lambda content: content.update(categories=[]),
        ["categories: none found", "list the classes"],
    ),
    "unknown category": (
        annotation(category_id=77),
        ["annotation 100", "category_id 77 found, expected one of 1, 3, 5", "correct the id"],
    ),
    "unknown image": (
        annotation(image_id=77),
        ["annotation 100", "image_id 77 found", "one of the 8 images", "remove the annotation"],
    ),
    "same category id": (
        entry("categories", 1, id=1),
        ["category 1: the id is there twice", "renumber one"],
    ),
    "same category name": (
        entry("categories", 1, name="disc"),
        ["category 3: a second one named 'disc'", "rename one"],
    ),
    "no category name": (entry("categories", name=None), ["category 1: name None", "name it"]),
    "same image id": (repeat("images"), ["image 1: the id is there twice", "remove one"]),
    "same annotation id": (
        repeat("annotations"),
        ["annotation 100: the id is there twice", "renumber one"],
    ),
    "annotation id 0": (
        annotation(id=0),
        ["annotation 0: expected an id of 1 or more", "from 1"],
    ),
    "id of text": (entry("images", id="1"), ["image: id '1' found, expected a whole number"]),
    "no file name": (entry("images", file_name=""), ["image 1: file_name ''", "correct it"]),
    "width 0": (
        entry("images", width=0),
        ["image 1: width 0 found, expected a whole number of pixels above 0", "true size"],
    ),
    "broken height": (entry("images", height=64.0), ["image 1: height 64.0 found", "true size"]),
    "no height": (lambda content: content["images"][0].pop("height"), ["image 1: height None"]),
    "box of NaN": (
        annotation(bbox=[1, 2, float("nan"), 4]),
        ["annotation 100: bbox [1, 2, nan, 4] found, expected 4 finite numbers", "correct the box"],
    ),
    "box of 3": (annotation(bbox=[1, 2, 3]), ["annotation 100: bbox [1, 2, 3] found"]),
    "box of text": (annotation(bbox=[1, 2, "3", 4]), ["annotation 100: bbox [1, 2, '3', 4]"]),
    "no box": (
        lambda content: content["annotations"][0].pop("bbox"),
        ["annotation 100: bbox None found", "remove the annotation"],
    ),
    "area of NaN": (annotation(area=float("inf")), ["annotation 100: area inf", "in pixels"]),
    "iscrowd 2": (annotation(iscrowd=2), ["annotation 100: iscrowd 2", "expected 0 or 1"]),
    "no segmentation": (
        lambda content: content["annotations"][0].pop("segmentation"),
        ["annotation 100: segmentation missing", "correct the segmentation"],
    ),
    "no polygon": (
        annotation(segmentation=[]),
        ["annotation 100: segmentation: no polygon found", "remove the annotation"],
    ),
    "two points": (
        annotation(segmentation=[[1, 1, 5, 1, 5, 5], [1, 1, 5, 5]]),
        ["annotation 100: segmentation: a polygon of 4 numbers", "6 or more", "remove"],
    ),
    "odd polygon": (
        annotation(segmentation=[[1, 1, 5, 1, 5, 5, 3]]),
        ["annotation 100: segmentation: a polygon of 7 numbers", "even count"],
    ),
    "polygon of NaN": (
        annotation(segmentation=[[1, 1, 5, float("nan"), 5, 5]]),
        ["annotation 100: segmentation: a polygon that is not a list of finite numbers"],
    ),
    "polygon of text": (
        annotation(segmentation=[[1, 1, "5", 1, 5, 5]]),
        ["annotation 100: segmentation: a polygon that is not a list of finite numbers"],
    ),
    "flat polygon": (
        annotation(segmentation=[1, 1, 5, 1, 5, 5]),
        ["annotation 100: segmentation: a polygon that is not a list"],
    ),
    "RLE turned": (
        annotation(segmentation={"size": [96, 64], "counts": [96 * 64]}),
        ["RLE of size [96, 64] found, expected its image's [height, width] [64, 96]", "remove"],
    ),
    "compressed RLE turned": (
        annotation(segmentation={"size": [96, 64], "counts": "PP6"}),
        ["annotation 100: segmentation: an RLE of size [96, 64] found"],
    ),
    "RLE cut": (
        annotation(segmentation={"size": [64, 96], "counts": [10, 5]}),
        ["annotation 100: segmentation: an RLE of 15 pixels found, expected 64 x 96"],
    ),
    "RLE without size": (
        annotation(segmentation={"counts": [10, 5]}),
        ["annotation 100: segmentation: an RLE of size None", "[height, width]"],
    ),
    "RLE of broken counts": (
        annotation(segmentation={"size": [64, 96], "counts": [-1, 5]}),
        ["annotation 100: segmentation: an RLE found whose counts are not a list of whole numbers"],
    ),
    "RLE of bytes as text": (
        annotation(segmentation={"size": [64, 96], "counts": "b'PP6'"}),
        ["annotation 100: segmentation: an RLE whose counts are not run lengths", "correct"],
    ),
    "compressed RLE cut": (
        annotation(segmentation={"size": [64, 96], "counts": "PP"}),
        ["annotation 100: segmentation: an RLE found whose counts are cut off", "correct"],
    ),
    "compressed RLE of another size": (
        annotation(segmentation={"size": [64, 96], "counts": "PP7"}),
        ["annotation 100: segmentation: an RLE of 7168 pixels found, expected 6144"],
    ),
    "a point far away": (
        annotation(segmentation=[[1, 1, 2e8, 3e8, 5, 5]]),
        ["annotation 100: segmentation: a point at 200000000.0, 300000000.0 found", "correct"],
    ),
    "box far away": (annotation(bbox=[1, 2, 1e30, 4]), ["annotation 100: bbox [1, 2, 1e+30, 4]"]),
    "area of 400 digits": (annotation(area=10**400), ["annotation 100: area 1000000000"]),
    "image id of 65 bits": (
        entry("images", id=2**63),
        [f"image: id {2**63} found, expected one that 64 bits hold", "renumber it"],
    ),
    "category id of 65 bits": (
        entry("categories", id=-(2**63) - 1),
        [f"category: id {-(2**63) - 1} found, expected one that 64 bits hold"],
    ),
    "annotation id of 65 bits": (annotation(id=2**63), [f"annotation: id {2**63} found"]),
    "image id of a fraction": (entry("images", id=1.0), ["image: id 1.0 found, expected a whole"]),
    "half a character": (
        entry("categories", name="a\ud800"),
        ["category 1: name 'a\\ud800' found, expected text"],
    ),
    "image of more pixels than C counts": (
        entry("images", width=2**16, height=2**16),
        ["image 1: 65536 x 65536 found", "pixels at most", "true size"],
    ),
    "segmentation of text": (
        annotation(segmentation="none"),
        ["annotation 100: segmentation: 'none' found, expected polygons or an RLE"],
    ),
}


@pytest.mark.parametrize("case", CONTENT)
def test_faults_of_the_content(folder, case):
    spoil, parts = CONTENT[case]
    content = load(folder, "train")
    spoil(content)
    save(folder, "train", content)
    message = complaint(folder)
    assert message.startswith(str(annotation_file(folder, "train")))
    assert all(part in message for part in parts), message


def test_a_compressed_rle_passes(folder):
    content = load(folder, "train")
    content["annotations"][0]["segmentation"] = {"size": [64, 96], "counts": "PP6"}
    save(folder, "train", content)
    assert check(folder)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (entry("categories", 2, name="blob"), "5 blob, 5 triangle"),
        (lambda content: content["categories"].append({"id": 9, "name": "blob"}), "9 blob"),
        (lambda content: content["categories"].reverse(), "another order"),
    ],
)
def test_splits_of_different_categories(folder, spoil, what):
    content = load(folder, "val")
    spoil(content)
    save(folder, "val", content)
    message = complaint(folder)
    assert message.startswith(str(annotation_file(folder, "val")))
    assert "categories: not those of instances_train2017.json" in message
    assert what in message
    assert "use two files of one data set" in message
