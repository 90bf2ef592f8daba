"""A large annotation file is parsed once; what is mapped is what mmdet would have parsed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from make_big_coco import dataset_settings

from r3cnn.core.files import sha256_of
from r3cnn.data import loading, serialised

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "make_big_coco.py"


@pytest.fixture(scope="module")
def annotations(tmp_path_factory) -> Path:
    """A made-up file of 300 images and 2,000 objects."""
    out = tmp_path_factory.mktemp("big") / "instances_train2017.json"
    size = ["--images", "300", "--objects", "2000"]
    subprocess.run([sys.executable, SCRIPT, out, *size], check=True, timeout=120)
    return out


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache that is used for small files too."""
    monkeypatch.setenv("R3CNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(serialised, "LEAST_BYTES", 0)
    return tmp_path / "cache"


def loader_of(annotations: Path, **more) -> dict:
    return {"dataset": dataset_settings(annotations) | more}


@pytest.fixture
def mapped(annotations, cache):
    return loading.build_dataset(loader_of(annotations), sha256_of(annotations))


def test_the_mapped_list_is_the_parsed_one(annotations, mapped):
    parsed = loading.build_dataset(loader_of(annotations))
    assert len(mapped) == len(parsed) > 200
    for i in range(len(parsed)):
        assert mapped.get_data_info(i) == parsed.get_data_info(i)
    assert (mapped.cat_ids, mapped.cat2label) == (parsed.cat_ids, parsed.cat2label)
    assert mapped.metainfo == parsed.metainfo
    assert loading.wide_images(mapped) == loading.wide_images(parsed)
    assert not hasattr(parsed, "wide")
    assert 0 < sum(mapped.wide) < len(mapped)


def test_processes_share_its_bytes_and_cannot_change_them(mapped):
    assert isinstance(mapped.data_bytes, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        mapped.data_bytes[0] = 1


def test_it_is_parsed_once_for_a_checksum_and_its_settings(annotations, mapped, cache, monkeypatch):
    begun = []
    real = subprocess.run
    monkeypatch.setattr(
        serialised.subprocess, "run", lambda *args, **more: begun.append(1) or real(*args, **more)
    )
    checksum = sha256_of(annotations)
    loading.build_dataset(loader_of(annotations, pipeline=[{"type": "LoadAnnotations"}]), checksum)
    assert (len(list(cache.iterdir())), len(begun)) == (1, 0)
    others = loading.build_dataset(loader_of(annotations, filter_cfg=None), checksum)
    assert (len(list(cache.iterdir())), len(begun)) == (2, 1)
    assert len(others) == 300
    loading.build_dataset(loader_of(annotations), "0" * 64)
    assert (len(list(cache.iterdir())), len(begun)) == (3, 2)


def test_what_a_killed_writer_left_is_written_again(annotations, mapped, cache):
    (folder,) = cache.iterdir()
    (folder / "about.pickle").unlink()  # the last file
    again = loading.build_dataset(loader_of(annotations), sha256_of(annotations))
    assert isinstance(again.data_bytes, np.memmap)
    assert again.get_data_info(5) == mapped.get_data_info(5)


def test_where_nothing_can_be_written_each_process_parses(annotations, cache, caplog):
    cache.write_text("a file in the folder's place")
    found = loading.build_dataset(loader_of(annotations), sha256_of(annotations))
    assert not isinstance(found.data_bytes, np.memmap)
    assert str(cache) in caplog.text


def test_small_files_are_parsed_as_ever(annotations, tmp_path, monkeypatch):
    monkeypatch.setenv("R3CNN_CACHE", str(tmp_path / "cache"))
    loading.build_dataset(loader_of(annotations), sha256_of(annotations))
    assert not (tmp_path / "cache").exists()


def test_the_made_up_file_is_the_same_for_a_seed_and_as_large_as_asked(annotations, tmp_path):
    again = tmp_path / "again.json"
    size = ["--images", "300", "--objects", "2000"]
    subprocess.run([sys.executable, SCRIPT, again, *size], check=True, timeout=120)
    assert again.read_bytes() == annotations.read_bytes()
    content = json.loads(again.read_text())
    assert (len(content["images"]), len(content["annotations"])) == (300, 2000)
    boxes = np.array([one["bbox"] for one in content["annotations"]])
    assert boxes.min() > 0
    assert (boxes[:, :2] + boxes[:, 2:]).max() < 375
