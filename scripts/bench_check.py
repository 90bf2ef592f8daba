"""How long `data check` takes, and how much memory, on a made-up data set of COCO 2017's size.

python scripts/bench_check.py [--share 0.01] [--run-lengths] [--folder FOLDER]
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pycocotools import mask as rle

ROOT = Path(__file__).resolve().parent.parent
# COCO 2017: images, objects, share of crowds, and about the numbers of an object's polygons
SPLITS = {"train": (118_287, 860_001), "val": (5_000, 36_781)}
CROWDS, NUMBERS, CATEGORIES = 0.01, 52, 80
WIDTH, HEIGHT = 640, 480
POOL = 2000  # different shapes


def shapes(noise: random.Random, run_lengths: bool) -> list[tuple[str, str]]:
    """Boxes and segmentations as JSON: outlines of stars, as COCO's file has them, or compressed run lengths."""
    found = []
    for _ in range(POOL):
        w, h = noise.uniform(5, 300), noise.uniform(5, 300)
        x, y = noise.uniform(0, WIDTH - w), noise.uniform(0, HEIGHT - h)
        ring = [
            round(noise.uniform(y, y + h) if i % 2 else noise.uniform(x, x + w), 2)
            for i in range(NUMBERS)
        ]
        text = f"[{ring}]"
        if run_lengths:
            code = rle.merge(rle.frPyObjects([ring], HEIGHT, WIDTH))["counts"].decode()
            text = f'{{"size": [{HEIGHT}, {WIDTH}], "counts": "{code}"}}'.replace("\\", "\\\\")
        found.append((f'[{x:.2f}, {y:.2f}, {w:.2f}, {h:.2f}], "area": {w * h / 2:.4f}', text))
    return found


def crowd(noise: random.Random) -> str:
    """Plain run lengths of some hundred runs."""
    cuts = sorted(noise.sample(range(1, WIDTH * HEIGHT), 300))
    runs = [b - a for a, b in zip([0, *cuts], [*cuts, WIDTH * HEIGHT], strict=True)]
    return f'{{"counts": {runs}, "size": [{HEIGHT}, {WIDTH}]}}'


def annotations(images: int, objects: int, seed: int, run_lengths: bool) -> Iterator[str]:
    """The text of an annotation file, piece by piece."""
    noise = random.Random(seed)
    pool, crowds = shapes(noise, run_lengths), [crowd(noise) for _ in range(20)]
    yield '{"images": ['
    for i in range(images):
        name = f'"file_name": "{i + 1:012d}.jpg", "width": {WIDTH}, "height": {HEIGHT}'
        yield f'{"," if i else ""}{{"id": {i + 1}, {name}, "license": 1, "coco_url": "http://a/b"}}'
    yield '], "annotations": ['
    for i in range(objects):
        box, segmentation = noise.choice(pool)
        apart = noise.random() < CROWDS
        yield (
            f'{"," if i else ""}{{"id": {i + 1}, "image_id": {noise.randrange(images) + 1}, '
            f'"category_id": {noise.randrange(CATEGORIES) + 1}, "bbox": {box}, "iscrowd": {int(apart)}, '
            f'"segmentation": {noise.choice(crowds) if apart else segmentation}}}'
        )
    names = (f'{{"id": {k + 1}, "name": "class {k}"}}' for k in range(CATEGORIES))
    yield f'], "categories": [{", ".join(names)}]}}'


def make(folder: Path, share: float, run_lengths: bool) -> None:
    """Write the data set; its images are one byte each, for the check reads none."""
    (folder / "annotations").mkdir(parents=True)
    for seed, (split, counts) in enumerate(SPLITS.items()):
        images, objects = (max(1, round(count * share)) for count in counts)
        with open(
            folder / f"annotations/instances_{split}2017.json", "w", encoding="utf-8"
        ) as file:
            file.writelines(annotations(images, objects, seed, run_lengths))
        (folder / f"{split}2017").mkdir()
        for i in range(images):
            (folder / f"{split}2017" / f"{i + 1:012d}.jpg").write_bytes(b"x")


def main() -> None:
    """Make the data set, check it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of COCO's size")
    parser.add_argument("--run-lengths", action="store_true", help="instead of polygons")
    parser.add_argument("--folder", type=Path, help="where there is space for 1 GB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        data = Path(folder) / "data"
        make(data, options.share, options.run_lengths)
        command = [
            sys.executable,
            "-m",
            "r3cnn",
            "data",
            "check",
            "--data",
            data,
            "--out",
            f"{folder}/d",
        ]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        start = time.perf_counter()
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        megabytes = (data / "annotations/instances_train2017.json").stat().st_size / 1e6
        print(
            f"{options.share:g} of COCO's size ({megabytes:.0f} MB of training annotations): {seconds:.1f} s, "
            f"{used.ru_utime + used.ru_stime:.1f} s of a processor, {used.ru_maxrss / 2**20:.2f} GiB at most"
        )


if __name__ == "__main__":
    main()
