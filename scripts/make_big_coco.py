"""An annotation file of the size of COCO's train2017, made up from a seed; without images.

python scripts/make_big_coco.py OUT.json [--images 118287] [--objects 860001] [--seed 0]
"""

import argparse
import json
from pathlib import Path

import numpy as np

CLASSES = 80
SHAPES = 20_000  # different outlines; objects share them
NUMBERS = 56  # of an outline, on average: the file has 490 MB then
SIDES = ((640, 480), (480, 640), (640, 427), (500, 375))  # width and height, one after the other


def outlines(draw: np.random.Generator) -> list[str]:
    """The entries of an object that depend on its outline: segmentation, area and bbox."""
    found = []
    for _ in range(SHAPES):
        points = int(draw.integers(4, NUMBERS - 3))
        angles = np.sort(draw.uniform(0, 2 * np.pi, points))
        radii = draw.uniform(5, 90) * draw.uniform(0.7, 1.0, points)
        centre = draw.uniform(100, 270, 2)
        xy = (centre + radii[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1)).round(2)
        low, size = xy.min(0), np.ptp(xy, 0)
        x, y = xy.T
        area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        shape = {
            "segmentation": [xy.ravel().tolist()],
            "area": round(float(area), 4),
            "bbox": [round(float(one), 2) for one in (*low, *size)],
        }
        found.append(json.dumps(shape)[1:-1])
    return found


def write(out: Path, images: int, objects: int, seed: int) -> None:
    """Write the file; the same bytes for the same numbers."""
    draw = np.random.default_rng(seed)
    shapes = outlines(draw)
    image = np.sort(draw.integers(0, images, objects)).tolist()
    shape = draw.integers(0, SHAPES, objects).tolist()
    category = draw.integers(1, CLASSES + 1, objects).tolist()
    crowd = (draw.random(objects) < 0.012).astype(int).tolist()
    with open(out, "w", encoding="utf-8") as file:
        file.write('{"images": [')
        for i in range(images):
            width, height = SIDES[i % len(SIDES)]
            one = {"id": i + 1, "file_name": f"{i + 1:012}.jpg", "width": width, "height": height}
            file.write(("," if i else "") + json.dumps(one))
        file.write('],\n"categories": ')
        json.dump([{"id": i + 1, "name": f"class{i + 1}"} for i in range(CLASSES)], file)
        file.write(',\n"annotations": [')
        for i in range(objects):
            file.write(
                f'{"," if i else ""}{{"id": {i + 1}, "image_id": {image[i] + 1}, '
                f'"category_id": {category[i]}, "iscrowd": {crowd[i]}, {shapes[shape[i]]}}}'
            )
        file.write("]}\n")


def dataset_settings(file: Path) -> dict:
    """The data set of such a file, as a training's config has it, without a pipeline."""
    return {
        "type": "CocoDataset",
        "ann_file": str(file),
        "data_root": "",
        "data_prefix": {"img": "images/"},
        "metainfo": {"classes": tuple(f"class{i + 1}" for i in range(CLASSES))},
        "filter_cfg": {"filter_empty_gt": True, "min_size": 32},
        "pipeline": [],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=118_287)
    parser.add_argument("--objects", type=int, default=860_001)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    write(asked.out, asked.images, asked.objects, asked.seed)


if __name__ == "__main__":
    main()
