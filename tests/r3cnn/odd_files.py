"""A grammar of odd COCO files: what exporters, tools and people write, drawn by hypothesis.

ODDITIES maps a name to a function (draw, content), which changes sound content in place.
"""

import contextlib
import copy
import itertools
import math
import random
from collections.abc import Callable, Iterator

import numpy as np
from hypothesis import strategies as st
from pycocotools import mask as rle

Draw = Callable[[st.SearchStrategy], object]
SIZES = [(64, 48), (40, 40), (33, 90)]  # width, height
NUMBERS = [0, -1, 3.5, None, "text", [], {}, True, 1e400]


def whole(low: int, high: int) -> st.SearchStrategy:
    return st.integers(low, high)


def sound_content(draw: Draw, first_image: int) -> dict:
    """Images, each with one object at least, of three categories."""
    images, annotations = [], []
    for i in range(draw(whole(2, 3))):
        width, height = draw(st.sampled_from(SIZES))
        id_ = first_image + i
        images.append(
            {
                "id": id_,
                "file_name": f"{width}x{height}_{id_}.png",
                "width": width,
                "height": height,
            }
        )
        for _ in range(draw(whole(1, 3))):
            annotations.append(_object(draw, images[-1], len(annotations) + 1))
    categories = [{"id": k, "name": f"kind {k}"} for k in (1, 2, 5)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _object(draw: Draw, image: dict, id_: int) -> dict:
    w, h = draw(whole(4, 20)), draw(whole(4, 20))
    x, y = draw(whole(0, image["width"] - w)), draw(whole(0, image["height"] - h))
    return {
        "id": id_,
        "image_id": image["id"],
        "category_id": draw(st.sampled_from((1, 2, 5))),
        "bbox": [x, y, w, h],
        "area": w * h * draw(st.sampled_from((0.5, 1))),
        "iscrowd": 0,
        "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
    }


# ------------------------------------------------------------------ how an oddity is written down


def some(content: dict, draw: Draw, section: str) -> list[dict]:
    """One entry of a section, or, in one of four cases, all."""
    entries = content[section]
    if not entries or draw(whole(0, 3)) == 3:
        return entries
    return [draw(st.sampled_from(entries))]


def field(section: str, key: str, *values: object) -> Callable[[Draw, dict], None]:
    """Some entries have another value of a key."""

    def change(draw: Draw, content: dict) -> None:
        for one in some(content, draw, section):
            one[key] = copy.deepcopy(draw(st.sampled_from(values)))

    return change


def without(section: str, *keys: str) -> Callable[[Draw, dict], None]:
    def change(draw: Draw, content: dict) -> None:
        for one in some(content, draw, section):
            one.pop(draw(st.sampled_from(keys)), None)

    return change


def extra(section: str, *keys: str) -> Callable[[Draw, dict], None]:
    """Fields that the metric does not read, of any type."""

    def change(draw: Draw, content: dict) -> None:
        for one in some(content, draw, section):
            for key in keys:
                one[key] = draw(st.sampled_from(NUMBERS))

    return change


def ids(section: str, new: Callable[[int], object]) -> Callable[[Draw, dict], None]:
    """Other ids of images, categories or annotations, and of what refers to them."""
    key = {"images": "image_id", "categories": "category_id"}.get(section)

    def change(_: Draw, content: dict) -> None:
        for one in content[section]:
            one["id"] = new(one["id"])
        if key:
            for one in content["annotations"]:
                one[key] = new(one[key])

    change.of_both_splits = section == "categories"
    return change


def shape(make: Callable[[Draw, int, int], object]) -> Callable[[Draw, dict], None]:
    """Some segmentations are written otherwise; make: (draw, height, width) -> segmentation."""

    def change(draw: Draw, content: dict) -> None:
        sizes = {one["id"]: (one["height"], one["width"]) for one in content["images"]}
        for one in some(content, draw, "annotations"):
            one["segmentation"] = make(draw, *sizes.get(one["image_id"], (48, 64)))

    return change


def shuffled(draw: Draw, content: dict) -> None:
    section = draw(st.sampled_from(("images", "annotations")))
    content[section] = draw(st.permutations(content[section]))


def repeated(section: str, **changes: object) -> Callable[[Draw, dict], None]:
    def change(_: Draw, content: dict) -> None:
        if content[section]:
            content[section].append(copy.deepcopy(content[section][0]) | changes)

    return change


def bare_image(draw: Draw, content: dict) -> None:
    id_ = draw(st.sampled_from(content["images"]))["id"]
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] != id_]


def small_image(draw: Draw, content: dict) -> None:
    image = draw(st.sampled_from(content["images"]))
    image["width"] = draw(st.sampled_from((1, 20, 31, 32)))
    image["file_name"] = f"{image['width']}x{image['height']}_{image['id']}.png"


def section(key: str, *values: object) -> Callable[[Draw, dict], None]:
    def change(draw: Draw, content: dict) -> None:
        content[key] = copy.deepcopy(draw(st.sampled_from(values)))

    return change


# ------------------------------------------------------------------ segmentations


def runs(height: int, width: int, part: float = 0.3) -> list[int]:
    """Plain run lengths: a bar across the image."""
    pixels = height * width
    begin, length = pixels // 4, int(pixels * part)
    return [begin, length, pixels - begin - length]


def coded(height: int, width: int, counts: list[int] | None = None) -> dict:
    counts = runs(height, width) if counts is None else counts
    code = rle.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": code["counts"].decode()}


def plain(height: int, width: int, counts: list) -> dict:
    return {"size": [height, width], "counts": counts}


def polygon(*low_high: float, points: int = 5) -> Callable[[Draw, int, int], list]:
    """A polygon, or two, of drawn points, as crossed as it comes."""
    low, high = low_high

    def make(draw: Draw, height: int, width: int) -> list:
        spread = st.floats(low, high, allow_nan=False, width=32)
        ring = st.lists(spread, min_size=2 * points, max_size=2 * points)
        return [
            [share * (height if i % 2 else width) for i, share in enumerate(draw(ring))]
            for _ in range(draw(whole(1, 2)))
        ]

    return make


def cut(draw: Draw, height: int, width: int) -> dict:
    code = coded(height, width)
    return code | {"counts": code["counts"][: -draw(whole(1, 3))]}


def noise(draw: Draw, height: int, width: int) -> dict:
    """Run lengths of a mask of scattered pixels."""
    mask = np.random.default_rng(draw(whole(0, 99))).random((height, width)) < 0.3
    code = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [height, width], "counts": code["counts"].decode()}


def one_of(*segmentations: object) -> Callable[[Draw, dict], None]:
    return shape(lambda draw, *_: copy.deepcopy(draw(st.sampled_from(segmentations))))


RING = [1, 1, 9, 1, 9, 9, 1, 9]

# What a file may hold and still be trained on and scored, with or without a warning.
BENIGN: dict[str, Callable[[Draw, dict], None]] = {
    "fields of images": extra("images", "date_captured", "license", "flickr_url", "own"),
    "fields of annotations": extra("annotations", "attributes", "keypoints", "score", "own"),
    "fields of categories": extra("categories", "supercategory", "skeleton", "keypoints"),
    "info": section("info", *NUMBERS),
    "licenses": section("licenses", *NUMBERS),
    "large image ids": ids("images", lambda i: 2**61 + i),
    "the largest image ids": ids("images", lambda i: 2**63 - 1 - i),
    "negative image ids": ids("images", lambda i: -i),
    "large category ids": ids("categories", lambda i: 2**53 + i),
    "negative category ids": ids("categories", lambda i: i - 2),
    "large annotation ids": ids("annotations", lambda i: 2**62 + i),
    "another order": shuffled,
    "an image without objects": bare_image,
    "a small image": small_image,
    "the same object twice": repeated("annotations", id=10**6),
    "ignore": field("annotations", "ignore", 0, 1, True, "yes", ""),
    "crowds": field("annotations", "iscrowd", 1, True, 1.0),
    "a strange area": field("annotations", "area", 0, 0.0, -3, 1e11, 1e-9, 1024),
    "a thin box": field("annotations", "bbox", [3, 3, 0.5, 9], [3, 3, 9, 0.99], [3, 3, 1, 1.0]),
    "a box without area": field("annotations", "bbox", [3, 3, 0, 9], [3, 3, 9, 0], [3, 3, 0, 0]),
    "a turned box": field("annotations", "bbox", [9, 9, -5, 5], [9, 9, -5, -5], [9, 9, 5, -5.5]),
    "a box off the image": field("annotations", "bbox", [200, 3, 9, 9], [-30, -30, 30, 9]),
    "a box over the border": field("annotations", "bbox", [-3, -3, 9.5, 9], [20, 20, 500, 500]),
    "a box of all": field("annotations", "bbox", [-1e4, -1e4, 2e4, 2e4]),
    "crossed polygons": shape(polygon(0, 1)),
    "polygons over the border": shape(polygon(-1, 2)),
    "polygons off the image": shape(polygon(2, 3)),
    "flat polygons": one_of([[5, 5] * 3], [[1, 1, 5, 5, 9, 9]], [[0, 0, 9, 0, 9, 0]]),
    "plain run lengths": shape(lambda _, h, w: plain(h, w, runs(h, w))),
    "compressed run lengths": shape(lambda _, h, w: coded(h, w)),
    "run lengths of scattered pixels": shape(noise),
    "runs of no length": shape(
        lambda draw, h, w: draw(st.sampled_from((plain, coded)))(
            h, w, [0, 0, 5, 7, 0, 0, h * w - 12, 0]
        )
    ),
    "run lengths of nothing": shape(
        lambda draw, h, w: draw(st.sampled_from((plain, coded)))(h, w, [h * w])
    ),
    "run lengths of all": shape(
        lambda draw, h, w: draw(st.sampled_from((plain, coded)))(h, w, [0, h * w])
    ),
}

# What must be refused, or is harmless where no entry is hit.
FATAL: dict[str, Callable[[Draw, dict], None]] = {
    "image ids of text": ids("images", str),
    "image ids of fractions": ids("images", float),
    "image ids of 65 bits": ids("images", lambda i: 2**63 + i),
    "category ids of 65 bits": ids("categories", lambda i: -(2**64) - i),
    "annotation ids of 65 bits": ids("annotations", lambda i: 2**64 + i),
    "strange annotation ids": field("annotations", "id", 0, -1, None, "7", 1.0, True),
    "strange image ids": field("images", "id", None, "7", 1.5, True, []),
    "an image twice": repeated("images"),
    "an annotation twice": repeated("annotations"),
    "a category name twice": repeated("categories", id=77),
    "unknown references": field("annotations", "image_id", 10**9, None, "1"),
    "unknown categories": field("annotations", "category_id", 10**9, None, "1", 3),
    "strange crowds": field("annotations", "iscrowd", 2, None, "0", [], -1),
    "an area of nothing": field("annotations", "area", None, "9", math.nan, math.inf, 10**400),
    "a broken box": field(
        "annotations", "bbox", None, [], [1, 2, 3], [1, 2, 3, 4, 5], "1 2 3 4", [1, 2, "3", 4],
        [math.nan, 2, 3, 4], [1, 2, math.inf, 4], [1, 2, 1e30, 4], [10**400, 2, 3, 4], {"x": 1},
    ),
    "missing keys of images": without("images", "id", "file_name", "width", "height"),
    "missing keys of annotations": without(
        "annotations", "id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"
    ),
    "missing keys of categories": without("categories", "id", "name"),
    "strange sizes of images": field(
        "images", "width", 0, -5, 64.0, "64", None, 10**12, 10**400, True, math.nan
    ),
    "strange names of files": field("images", "file_name", "", None, 7, "not there.png", "\ud800"),
    "strange names of categories": field("categories", "name", "", None, 7, ["a"], "\udfff"),
    "no segmentation": one_of(None, [], "", 0, [[]], {}, True, [None]),
    "odd polygons": one_of(
        [RING[:7]], [RING[:4]], RING, [[*RING[:6], "9", "1"]], [RING, []], [[RING]],
        [[*RING[:6], math.nan, 1]], [[*RING[:6], math.inf, 1]], [[*RING[:6], None, 1]],
    ),
    "polygons far away": one_of(
        [[1, 1, 2e8, 3e8, 5, 5]], [[1, 1, -1e12, 1, 5, 5]], [[1e308, 1, -1e308, 1, 5, 5]],
        [RING, [1, 1, 10**400, 1, 5, 5]], [[0, 0, 0, 2**20] * 3],
    ),
    "run lengths of another size": shape(lambda _, h, w: coded(w + 1, h)),
    "run lengths cut off": shape(cut),
    "run lengths of bytes as text": shape(
        lambda _, h, w: {"size": [h, w], "counts": str(coded(h, w)["counts"].encode())}
    ),
    "texts that are no run lengths": shape(
        lambda draw, h, w: {
            "size": [h, w],
            "counts": draw(st.one_of(st.text(max_size=12), st.sampled_from(["o" * 30, "\x00", "O"]))),
        }
    ),
    "broken plain run lengths": shape(
        lambda draw, h, w: plain(
            h, w, draw(st.sampled_from(([], [5], [-1, h * w + 1], [1.0, h * w - 1], None, 7)))
        )
    ),
    "run lengths without a size": shape(
        lambda draw, h, w: draw(st.sampled_from(({}, {"size": None}, {"size": [h]}, {"size": "x"})))
        | {"counts": "PP6"}
    ),
    "no images": section("images", [], None, {}, [1]),
    "no categories": section("categories", [], None, {}, ["a"]),
    "strange annotations": section("annotations", None, {}, [[]], "none"),
    "nothing to learn": section("annotations", []),
}  # fmt: skip
ODDITIES = BENIGN | FATAL


def drawn_file(draw: Draw, names: list[str]) -> dict[str, dict]:
    """The content of both splits, with oddities in one of them or in both."""
    splits = {"train": sound_content(draw, 1), "val": sound_content(draw, 101)}
    for name in names:
        change = ODDITIES[name]
        both = getattr(change, "of_both_splits", False)
        chosen = list(splits) if both else draw(st.sampled_from((["train"], ["val"], list(splits))))
        for split in chosen:
            # an earlier oddity may have taken away what this one changes
            with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError):
                change(draw, splits[split])
    return splits


def names_of_files(files: int) -> Iterator[list[str]]:
    """The oddities of each file, the same each time: all come in turn; one file of three has a fatal one."""
    chance = random.Random(0)
    benign, fatal = (itertools.cycle(chance.sample(sorted(of), len(of))) for of in (BENIGN, FATAL))
    for number in range(files):
        names = list(itertools.islice(benign, chance.randint(1, 4)))
        yield [*names, next(fatal)] if number % 3 == 2 else names
