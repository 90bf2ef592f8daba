"""One file holds the detections of all validation images for every L_e, and says what made it."""

import copy
import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pycocotools import mask as rle

from r3cnn.core.errors import UserError
from r3cnn.core.files import sha256_of
from r3cnn.core.layout import gallery_of
from r3cnn.core.progress import Progress
from r3cnn.data.loading import build_dataset, collate
from r3cnn.evaluation.predict import predict, predict_batch
from r3cnn.evaluation.predictions import SCHEMA, encoded, runs_on_device
from r3cnn.evaluation.score import score
from r3cnn.weights import checkpoint
from r3cnn.weights.loading import load_detector
from tests.r3cnn import tiny

LOOPS = (3, 1)


@pytest.fixture(scope="module")
def predicted(looped, tmp_path_factory) -> Path:
    """The predictions of r3_advanced with one and three loops."""
    cfg, weights = looped
    out = tmp_path_factory.mktemp("predicted") / "p.parquet"
    predict(cfg, weights, LOOPS, out)
    return out


@pytest.fixture(scope="module")
def rows(predicted) -> list[dict]:
    return pq.read_table(predicted).to_pylist()


def test_columns_and_their_types(predicted):
    assert pq.read_schema(predicted).remove_metadata() == SCHEMA


def test_metadata_say_what_was_run_on_what(predicted, looped, shapes):
    facts = json.loads(pq.read_schema(predicted).metadata[b"r3cnn"])
    cfg, weights = looped
    for key, value in cfg.r3cnn.to_dict().items():
        assert facts[key] == value
    assert facts["training"] == "r3_advanced"
    assert facts["loops"] == [1, 3]
    assert facts["images"] == 4
    assert facts["checkpoint_sha256"] == sha256_of(weights)
    assert facts["data"]["val_sha256"] == shapes["splits"]["val"]["sha256"]
    for key in ("source_sha256", "git_commit", "versions", "device", "start"):
        assert key in facts


def test_it_holds_all_images_and_loops(rows, shapes):
    images = {
        one["id"]
        for one in json.loads(Path(shapes["splits"]["val"]["annotations"]).read_text())["images"]
    }
    for loops in (1, 3):
        assert {row["image_id"] for row in rows if row["loops"] == loops} == images
    assert {row["category_id"] for row in rows} <= set(shapes["category_ids"])
    assert len({row["category_id"] for row in rows}) > 1


def test_rows_are_the_detectors_detections(rows, looped):
    """Box, score and mask of each, in the pixels of the original image."""
    cfg, weights = looped
    detector, dataset = load_detector(cfg, weights), build_dataset(cfg.test_dataloader)
    for index in range(len(dataset)):
        data = collate([dataset[index]])
        image_id = data["data_samples"][0].img_id
        found = predict_batch(detector, data, [3])[3][0]
        mine = [row for row in rows if row["loops"] == 3 and row["image_id"] == image_id]
        assert len(mine) == len(found) > 0
        boxes = np.array([[row[k] for k in ("x", "y", "width", "height")] for row in mine])
        x0, y0, x1, y1 = found.bboxes.numpy().T
        np.testing.assert_array_equal(
            boxes.astype(np.float32), np.stack((x0, y0, x1 - x0, y1 - y0), 1)
        )
        for i, row in enumerate(mine):
            assert row["score"] == found.scores[i].item()
            assert row["mask_score"] == found.mask_scores[i].item() != row["score"]
            assert row["category_id"] == dataset.cat_ids[found.labels[i]]
            size = [row["mask_height"], row["mask_width"]]
            assert size == [128, 160]
            mask = rle.decode({"size": size, "counts": row["mask_counts"]})
            np.testing.assert_array_equal(mask.astype(bool), found.masks[i].numpy())


def test_a_file_predicted_with_others_is_that_predicted_alone(rows, looped, tmp_path):
    cfg, weights = looped
    predict(cfg, weights, [1], tmp_path / "one.parquet")
    alone = pq.read_table(tmp_path / "one.parquet").to_pylist()
    assert alone == [row for row in rows if row["loops"] == 1]


def test_one_loop_lies_together_so_that_others_are_skipped(predicted):
    groups = pq.ParquetFile(predicted)
    kept = [
        set(groups.read_row_group(i)["loops"].to_pylist()) for i in range(groups.num_row_groups)
    ]
    assert kept == [{1}, {3}]


def test_it_can_be_scored(predicted, shapes, tmp_path):
    annotations = Path(shapes["splits"]["val"]["annotations"])
    for loops in (1, 3):
        score(predicted, loops, annotations, tmp_path / f"{loops}.json")
        found = json.loads((tmp_path / f"{loops}.json").read_text())
        assert found["images"] == 4
        assert 0 <= found["segm"]["AP"] <= 1


def test_a_model_without_mask_scores_ranks_masks_by_the_box_score(plain, tmp_path):
    cfg, weights = plain
    predict(cfg, weights, [1], tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert rows
    assert all(row["mask_score"] == row["score"] for row in rows)


def test_images_without_a_detection(looped, shapes, tmp_path):
    cfg, weights = looped
    cfg = copy.deepcopy(cfg)  # Config.copy shares what lies deeper
    cfg.model.test_cfg.rcnn.score_thr = 1.1
    out = tmp_path / "p.parquet"
    predict(cfg, weights, [1, 2], out)
    assert pq.read_table(out).num_rows == 0
    score(out, 2, Path(shapes["splits"]["val"]["annotations"]), tmp_path / "s.json")


def test_weights_alone_will_do(looped, tmp_path):
    """A state dict as it stands, without what training keeps beside it."""
    cfg, weights = looped
    state = checkpoint.load(weights)["state_dict"]
    torch.save(state, tmp_path / "weights.pth")
    detector = load_detector(cfg, tmp_path / "weights.pth")
    assert not detector.training
    loaded = detector.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_progress_says_what_is_left(caplog):
    caplog.set_level(logging.INFO)
    progress = Progress(3)
    for done in (1, 2, 3):
        progress.say(done)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == "3/3 images, about 0 s left"


# -------------------------------------------------------------------------- what is refused


def test_a_checkpoint_of_another_network(looped, plain, tmp_path):
    cfg, _ = looped
    _, others = plain
    out = tmp_path / "p.parquet"
    with pytest.raises(UserError) as caught:
        predict(cfg, others, [1], out)
    message = str(caught.value)
    start = f"{others}: weights of another network than {cfg.filename}: "
    assert message.startswith(start)
    assert message.endswith("use the checkpoint that was trained with this config")
    reason = message.removeprefix(start)
    assert " missing (such as roi_head.bbox_head.shared_convs.0.conv_out.conv.bias), " in reason
    assert " unknown (such as roi_head.bbox_head.shared_fcs.0.bias), " in reason
    assert "\n" not in message
    assert len(reason) < 400
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_size(looped, tmp_path):
    cfg, weights = looped
    state = checkpoint.load(weights)["state_dict"]
    name = "roi_head.bbox_head.fc_cls.weight"
    checkpoint.save(tmp_path / "c.pth", {"state_dict": state | {name: state[name][:3]}})
    with pytest.raises(
        UserError, match=rf"c\.pth: .*: 1 of another shape \(such as {name}\); use the"
    ):
        load_detector(cfg, tmp_path / "c.pth")


def test_no_checkpoint(looped, tmp_path):
    with pytest.raises(UserError, match=r"none\.pth: no such checkpoint"):
        load_detector(looped[0], tmp_path / "none.pth")


@pytest.mark.parametrize("loops", [[2], [1, 2]])
def test_loops_of_a_model_that_does_not_loop(plain, tmp_path, loops):
    cfg, weights = plain
    expected = (
        rf"loops: \[{', '.join(map(str, loops))}\]: this model always runs 1; ask for --loops 1"
    )
    with pytest.raises(UserError, match=expected):
        predict(cfg, weights, loops, tmp_path / "p.parquet")
    assert not list(tmp_path.iterdir())


def test_htc_runs_its_three_stages(shapes, tmp_path):
    cfg, weights = tiny.untrained("htc", shapes, tmp_path)
    with pytest.raises(
        UserError, match=r"loops: \[1\]: this model always runs 3; ask for --loops 3"
    ):
        predict(cfg, weights, [1], tmp_path / "p.parquet")
    predict(cfg, weights, [3], tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet")["loops"].unique().to_pylist() == [3]


def test_no_validation_annotations(looped, tmp_path):
    cfg, weights = looped
    cfg = copy.deepcopy(cfg)  # its parts too: the fixture is shared
    cfg.test_dataloader.dataset.ann_file = str(tmp_path / "none.json")
    with pytest.raises(UserError, match=r"none\.json: no such annotation file"):
        predict(cfg, weights, [1], tmp_path / "p.parquet")


@pytest.fixture
def images_one_by_one(monkeypatch):
    """Parts of one image, and the number of images that are predicted."""
    from r3cnn.evaluation import parts
    from r3cnn.evaluation import predict as module

    monkeypatch.setattr(parts, "IMAGES_A_PART", 1)
    counted, real = [], module.predict_batch
    monkeypatch.setattr(module, "predict_batch", lambda *args: counted.append(args) or real(*args))
    return counted


def test_a_prediction_that_was_stopped_goes_on_from_its_images(
    looped, rows, predicted, images_one_by_one, tmp_path
):
    cfg, weights = looped
    out, state = tmp_path / "p.parquet", tmp_path / "state"
    answers = iter([False, False, False, True])
    assert not predict(cfg, weights, LOOPS, out, state, lambda: next(answers))
    assert not out.exists()
    assert len(images_one_by_one) == 3
    assert predict(cfg, weights, LOOPS, out, state)
    assert len(images_one_by_one) == 4
    assert pq.read_table(out).to_pylist() == rows
    assert list(state.iterdir()) == []  # what was joined is gone
    both = [json.loads(gallery_of(path).read_text()) for path in (out, predicted)]
    assert both[0]["pictures"] == both[1]["pictures"]


def test_images_of_other_weights_are_not_taken(looped, images_one_by_one, tmp_path):
    cfg, weights = looped
    answers = iter([False, False, True])
    assert not predict(cfg, weights, [1], tmp_path / "p", tmp_path / "state", lambda: next(answers))
    other = torch.load(weights)
    torch.save({**other, "step": 0}, tmp_path / "other.pth")
    assert predict(cfg, tmp_path / "other.pth", [1], tmp_path / "p", tmp_path / "state")
    assert len(images_one_by_one) == 2 + 4


@pytest.mark.slow
def test_two_processes_give_the_same_rows_in_the_same_order(looped, rows, tmp_path):
    cfg, weights = looped
    (tmp_path / "config.py").write_text(cfg.pretty_text)
    script = (
        "import sys; from r3cnn.evaluation import parts; parts.IMAGES_A_PART = 1; "
        "from r3cnn.cli.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "predict", "--config", str(tmp_path / "config.py")]
    command += ["--checkpoint", str(weights), "--loops", "3", "1", "--launcher", "pytorch"]
    command += ["--out", str(tmp_path / "p.parquet"), "--state", str(tmp_path / "state")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(command, env=os.environ | group | {"RANK": rank, "LOCAL_RANK": rank})
        for rank in "01"
    ]
    assert [process.wait(300) for process in processes] == [0, 0]
    assert pq.read_table(tmp_path / "p.parquet").to_pylist() == rows


@pytest.mark.parametrize("shape", [(5, 7, 9), (3, 1, 4), (2, 480, 33), (0, 3, 4)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_run_lengths_found_on_a_device_are_pycocotools(shape, share):
    """On a GPU the runs are found there; here the same way on the CPU."""
    masks = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < share
    expected = rle.encode(np.asfortranarray(masks.numpy().transpose(1, 2, 0), dtype=np.uint8))
    assert encoded(masks) == expected
    if len(masks):
        assert runs_on_device(masks.transpose(1, 2)) == expected
