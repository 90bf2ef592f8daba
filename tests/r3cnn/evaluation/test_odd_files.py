"""Odd COCO files are refused in one line, or counted as the data set counts and scored as by pycocotools."""

import contextlib
import io
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("hypothesis", reason="no hypothesis: run `make setup`")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from r3cnn.core.errors import UserError
from r3cnn.core.records import METRICS
from r3cnn.data import SPLITS, annotation_file, image_folder
from r3cnn.data.check import check
from r3cnn.data.loading import build_dataset
from r3cnn.evaluation.predictions import SCHEMA
from r3cnn.evaluation.score import score
from tests.r3cnn.odd_files import ODDITIES, drawn_file, names_of_files

FACTS = {"training": "made_up", "seed": 0, "loops": [1], "source_sha256": "0" * 64}
ACCEPTED, REFUSED = "accepted", "refused"
SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def written(folder: Path, splits: dict[str, dict]) -> Path:
    """A data folder; each image has the size that its name says."""
    for split in SPLITS:
        image_folder(folder, split).mkdir(parents=True, exist_ok=True)
        annotation_file(folder, split).parent.mkdir(exist_ok=True)
        annotation_file(folder, split).write_text(json.dumps(splits[split]))
        images = splits[split]["images"]
        for one in images if isinstance(images, list) else []:
            name = one.get("file_name") if isinstance(one, dict) else None
            if isinstance(name, str) and "x" in name:
                size = tuple(map(int, name.partition("_")[0].split("x")))
                path = image_folder(folder, split) / name
                if not path.exists():
                    Image.new("RGB", size).save(path)
    return folder


def judge(folder: Path, splits: dict[str, dict]) -> str:
    """Whether a drawn folder is accepted; what is accepted is counted and scored rightly."""
    written(folder, splits)
    found, said = checked(folder)
    if found is None:
        assert "\n" not in said
        assert said.startswith(str(folder))
        return REFUSED
    require_counts(folder, found)
    require_scores(folder, splits["val"])
    return ACCEPTED


def checked(folder: Path) -> tuple[dict | None, str]:
    """The content of data.json, or what is said against the folder."""
    try:
        return check(folder), ""
    except UserError as error:
        return None, str(error)


def require_counts(folder: Path, found: dict) -> None:
    """Those of the built data set, and of what its pipeline hands to the loss."""
    pipeline = [
        {"type": "LoadCheckedImage"},
        {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
        {"type": "PackDetInputs"},
    ]
    loader = {
        "type": "CocoDataset",
        "ann_file": str(annotation_file(folder, "train")),
        "data_prefix": {"img": f"{image_folder(folder, 'train')}/"},
        "metainfo": {"classes": tuple(found["classes"])},
        "filter_cfg": {"filter_empty_gt": True, "min_size": 32},
        "pipeline": pipeline,
        "serialize_data": False,  # or the garbage of all of torch is collected each time
    }
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = build_dataset({"dataset": loader})
    samples = [dataset[i]["data_samples"] for i in range(len(dataset))]
    train = found["splits"]["train"]
    assert train["trained_images"] == len(samples)
    assert train["object_count"] == sum(len(one.gt_instances) for one in samples) > 0
    assert train["crowd_count"] == sum(len(one.ignored_instances) for one in samples)
    left = train["annotation_count"] - train["object_count"] - train["crowd_count"]
    left += train["image_count"] - train["trained_images"]
    assert left == sum(train["left_out"].values())
    assert len(train["warnings"]) >= len(train["left_out"])


def require_scores(folder: Path, content: dict) -> None:
    """pycocotools' own, to 1e-12."""
    content = json.loads(json.dumps(content))
    rows = detections(content)
    path, out = folder / "p.parquet", folder / "s.json"
    schema = SCHEMA.with_metadata({"r3cnn": json.dumps(FACTS)})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    score(path, 1, annotation_file(folder, "val"), out)
    found = json.loads(out.read_text())
    for kind in ("bbox", "segm"):
        values = [-1 if found[kind][name] is None else found[kind][name] for name in METRICS]
        assert values == pytest.approx(pycocotools(content, rows, kind), abs=1e-12), kind


def detections(content: dict) -> list[dict]:
    """Near the objects' boxes and far from them, of right and wrong classes, some of equal scores."""
    noise = random.Random(0)
    sizes = {one["id"]: (one["height"], one["width"]) for one in content["images"]}
    classes = [one["id"] for one in content["categories"]]
    rows = []
    for one in content["annotations"] * 2:
        high, wide = sizes[one["image_id"]]
        x, y = (value + noise.uniform(-2, 2) for value in one["bbox"][:2])
        w, h = (max(1.5, value + noise.uniform(-2, 2)) for value in one["bbox"][2:])
        mask = np.zeros((high, wide), dtype=np.uint8, order="F")
        mask[max(0, int(y)) : max(0, int(y + h)), max(0, int(x)) : max(0, int(x + w))] = 1
        points = round(noise.random(), 1)
        right = noise.random() < 0.8
        rows.append({
            "loops": 1, "image_id": one["image_id"], "score": points, "mask_score": points,
            "category_id": one["category_id"] if right else noise.choice(classes),
            "x": x, "y": y, "width": w, "height": h, "mask_height": high, "mask_width": wide,
            "mask_counts": rle.encode(mask)["counts"],
        })  # fmt: skip
    return rows


def pycocotools(content: dict, rows: list[dict], kind: str) -> list[float]:
    truth, found = COCO(), COCO()
    truth.dataset = content
    items = []
    for i, row in enumerate(rows, 1):
        item = {"id": i, "image_id": row["image_id"], "category_id": row["category_id"]}
        if kind == "bbox":
            box = [float(np.float32(row[key])) for key in ("x", "y", "width", "height")]
            item |= {"bbox": box, "area": box[2] * box[3]}
        else:
            code = {"size": [row["mask_height"], row["mask_width"]], "counts": row["mask_counts"]}
            item |= {"segmentation": code, "area": int(rle.area(code))}
        items.append(item | {"iscrowd": 0, "score": float(np.float32(row["score"]))})
    found.dataset = {key: content[key] for key in ("images", "categories")} | {"annotations": items}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        run = COCOeval(truth, found, kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return list(run.stats)


def fuzz(folder: Path, files: list[list[str]], examples: int) -> Counter:
    """How many drawn files were accepted and refused; several are drawn for each list of oddities."""
    ends: Counter = Counter()
    for names in files:

        @settings(SETTINGS, max_examples=examples)
        @given(st.data(), st.just(names))
        def run(data: st.DataObject, names: list[str]) -> None:
            ends[judge(folder / str(sum(ends.values())), drawn_file(data.draw, names))] += 1

        run()
    return ends


def test_each_oddity_alone(tmp_path):
    """One file of each; those that must be refused are."""
    ends = {}

    @settings(SETTINGS, max_examples=1)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        for number, name in enumerate(ODDITIES):
            ends[name] = judge(tmp_path / str(number), drawn_file(data.draw, [name]))

    run()
    assert set(ends) == set(ODDITIES)
    assert list(ends.values()).count(ACCEPTED) >= 0.3 * len(ends)
    assert list(ends.values()).count(REFUSED) >= 0.3 * len(ends)


def test_some_oddities_together(tmp_path):
    ends = fuzz(tmp_path, list(names_of_files(12)), 3)
    assert ends.total() >= 30
    assert ends[ACCEPTED] >= 0.3 * ends.total()
    assert ends[REFUSED]


@pytest.mark.slow
def test_many_oddities_together(tmp_path):
    files = list(names_of_files(204))
    ends = fuzz(tmp_path, files, 6)
    assert ends.total() >= 1000
    assert ends[ACCEPTED] >= 0.3 * ends.total()
    drawn = Counter(name for names in files for name in names)
    assert set(drawn) == set(ODDITIES)
    assert min(drawn.values()) >= 2
