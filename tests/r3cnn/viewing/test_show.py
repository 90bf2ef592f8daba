"""A trained model on a user's own pictures: what is drawn, what is written, and bad pictures."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from pycocotools import mask as rle

from r3cnn.cli.main import main
from r3cnn.core.errors import UserError
from r3cnn.data.loading import build_dataset, collate
from r3cnn.evaluation.predict import predict_batch
from r3cnn.viewing import overlay
from r3cnn.viewing.overlay import Found
from r3cnn.viewing.pictures import read
from r3cnn.viewing.show import Viewer, _followed, show
from r3cnn.weights.loading import load_detector

LOW = 0.05  # drawn weights score little


@pytest.fixture(scope="module")
def viewer(looped) -> Viewer:
    """r3_advanced with one to three loops."""
    cfg, weights = looped
    return Viewer(cfg, weights, every_loop=True, threshold=LOW)


@pytest.fixture(scope="module")
def photographs(shapes) -> list[Path]:
    return sorted(Path(shapes["root"], "val2017").iterdir())


def content(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def found(name: str = "dog", score: float = 0.5, box=(2, 2, 4, 4), size=(10, 12)) -> Found:
    mask = np.zeros(size, np.uint8, order="F")
    x, y, width, height = (int(side) for side in box)
    mask[y : y + height, x : x + width] = 1
    return Found(1, name, score, score, tuple(map(float, box)), rle.encode(mask))


# -------------------------------------------------------------------------------- what is found


def test_it_finds_what_predict_finds(looped, viewer, shapes, photographs):
    """The same boxes, scores, classes and masks as the predictions of the validation images."""
    cfg, weights = looped
    dataset, detector = build_dataset(cfg.test_dataloader), load_detector(cfg, weights)
    data = collate([dataset[0]])
    expected = predict_batch(detector, data, [1, 3])
    path = Path(data["data_samples"][0].img_path)
    mine = viewer.find(np.array(Image.open(path).convert("RGB")), path)
    for loops in (1, 3):
        kept = expected[loops][0][expected[loops][0].scores >= LOW]
        kept = kept[torch.argsort(kept.scores, descending=True, stable=True)]
        assert len(kept) == len(mine[loops]) > 0
        for i, item in enumerate(mine[loops]):
            assert item.score == pytest.approx(kept.scores[i].item(), abs=1e-6)
            assert item.mask_score == pytest.approx(kept.mask_scores[i].item(), abs=1e-6)
            assert item.name == shapes["classes"][kept.labels[i]]
            x, y, width, height = item.box
            np.testing.assert_allclose(
                [x, y, x + width, y + height], kept.bboxes[i].numpy(), atol=1e-4
            )
            np.testing.assert_array_equal(rle.decode(item.mask), kept.masks[i].numpy())


def test_files_beside_each_other(looped, photographs, tmp_path):
    _, weights = looped
    show(photographs[:2], weights, tmp_path, threshold=LOW)
    for photograph in photographs[:2]:
        told = content(tmp_path / f"{photograph.stem}.json")
        assert told["image"] == str(photograph)
        assert (told["width"], told["height"]) == (160, 128)
        assert (told["training"], told["loops"]) == ("r3_advanced", [3])
        item = told["detections"][0]
        assert item.keys() == {"loop", "class", "score", "mask_score", "box", "mask"}
        assert rle.decode(item["mask"]).shape == (128, 160)
        scores = [one["score"] for one in told["detections"]]
        assert scores == sorted(scores, reverse=True)
        assert min(scores) >= LOW
        picture = Image.open(tmp_path / f"{photograph.stem}.jpg")
        assert picture.size == (640, 512)  # enlarged
        assert np.abs(np.diff(np.asarray(picture).astype(int), axis=0)).max() > 60


def test_every_loop_side_by_side(looped, photographs, tmp_path):
    _, weights = looped
    arguments = [str(photographs[0]), "--checkpoint", str(weights), "--every-loop", "--loops", "2"]
    done = CliRunner().invoke(
        main, ["show", *arguments, "--threshold", str(LOW), "--out", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    told = content(tmp_path / f"{photographs[0].stem}.json")
    assert told["loops"] == [1, 2]
    assert {item["loop"] for item in told["detections"]} == {1, 2}
    for loop in (1, 2):
        tracks = [item["track"] for item in told["detections"] if item["loop"] == loop]
        assert len(set(tracks)) == len(tracks)
    assert Image.open(tmp_path / f"{photographs[0].stem}.jpg").width == 2 * 640 + overlay.GAP


def test_one_picture_is_written_before_the_next_is_read(
    looped, photographs, tmp_path, monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    written = []

    def reading(path: Path) -> np.ndarray:
        written.append(len(list(tmp_path.glob("*.json"))))
        return read(path)

    monkeypatch.setattr("r3cnn.viewing.pictures.read", reading)
    show(photographs[:3], looped[1], tmp_path)
    assert written == [0, 1, 2]
    assert "3/3 images, about 0 s left" in caplog.messages


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (2000, 31), (640, 1900)])
def test_pictures_of_any_size(viewer, tmp_path, size):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    viewer.look(tmp_path / "a.png", tmp_path / "out")
    told = content(tmp_path / "out.json")
    assert (told["width"], told["height"]) == size
    for item in told["detections"]:
        assert item["mask"]["size"] == [size[1], size[0]]


def test_a_very_large_picture_is_reduced_for_its_masks_only(viewer, monkeypatch):
    """Boxes and masks come in its own pixels all the same."""
    noise = np.random.default_rng(0).integers(0, 256, (128, 160, 3), dtype=np.uint8)
    large = noise.repeat(4, 0).repeat(4, 1)
    expected = viewer.find(noise, Path("a"))[3]
    monkeypatch.setattr("r3cnn.viewing.show.LARGEST", 128 * 160)
    mine = viewer.find(large, Path("a"))[3]
    assert len(mine) == len(expected) > 0
    for one, other in zip(mine, expected, strict=True):
        np.testing.assert_allclose(one.box, np.array(other.box) * 4, atol=1e-3)
        mask = rle.decode(other.mask).repeat(4, 0).repeat(4, 1)
        np.testing.assert_array_equal(rle.decode(one.mask), mask)


# ------------------------------------------------------------------------------ what is refused


def test_a_bad_picture_is_named_and_the_rest_goes_on(looped, photographs, tmp_path):
    _, weights = looped
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"no picture")
    (folder / "b.png").write_bytes(photographs[0].read_bytes())
    Image.new("RGB", (3000, 1)).save(folder / "c.png")  # nothing is left of it at 160 x 128
    arguments = ["show", folder, "--checkpoint", weights, "--out", tmp_path / "out"]
    done = CliRunner().invoke(main, [str(one) for one in arguments])
    assert done.exit_code == 1
    assert f"2 of 3 images could not be drawn: {folder / 'a.jpg'}, {folder / 'c.png'}; " in (
        done.stderr
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.jpg", "b.json"]


def test_a_config_that_is_nowhere(looped, photographs, tmp_path):
    _, weights = looped
    alone = tmp_path / "alone.pth"
    alone.write_bytes(weights.read_bytes())
    with pytest.raises(UserError, match=r"no alone\.py or config\.py next to it; .* --config"):
        show(photographs[:1], alone, tmp_path / "out")
    show(photographs[:1], alone, tmp_path / "out", weights.with_name("config.py"))
    assert (tmp_path / "out" / f"{photographs[0].stem}.jpg").is_file()


def test_a_foreign_checkpoint(looped, photographs, tmp_path):
    _, weights = looped
    torch.save({"state_dict": {}, "hub": Path("x")}, tmp_path / "foreign.pth")
    with pytest.raises(UserError, match=r"foreign\.pth: .*python -m r3cnn convert --trust"):
        show(photographs[:1], tmp_path / "foreign.pth", tmp_path, weights.with_name("config.py"))


def test_a_model_that_does_not_loop(plain, photographs, tmp_path):
    _, weights = plain
    with pytest.raises(UserError, match="--every-loop: this model does not loop"):
        show(photographs[:1], weights, tmp_path, every_loop=True)
    with pytest.raises(UserError, match="this model always runs 1"):
        show(photographs[:1], weights, tmp_path, loops=2)


# ------------------------------------------------------------------------------- what is drawn


def test_mask_and_box_are_drawn_where_they_are():
    grey = np.full((500, 600, 3), 90, np.uint8)
    image = np.asarray(overlay.draw(grey, [found(box=(200, 150, 100, 200), size=(500, 600))]))
    image = image.astype(int)
    factor = 640 / 600
    inside, outside = image[int(250 * factor), int(250 * factor)], image[-5, -5]
    assert np.abs(inside - 90).max() > 20  # tinted
    assert np.abs(outside - 90).max() <= 1
    edge = image[int(250 * factor), int(200 * factor) + 1]
    np.testing.assert_array_equal(edge, overlay.COLOURS[0])


def test_labels_keep_clear_of_each_other_and_of_the_edge():
    taken = []
    for _ in range(3):
        places = overlay._places((5, 5, 80, 90), 60, 16, (200, 150))
        for left, top, right, bottom in places:
            assert 0 <= left <= right <= 200
            assert 0 <= top <= bottom <= 150
        taken.append(next(place for place in places if not overlay._any_overlap(place, taken)))
    assert len({box[:2] for box in taken}) == 3


def test_objects_are_followed_by_class_and_place():
    first = [found("dog", 0.9, (0, 0, 4, 4)), found("cat", 0.8, (6, 0, 4, 4))]
    second = [
        found("cat", 0.9, (6, 0, 4, 5)),  # the cat, moved
        found("cat", 0.7, (0, 0, 4, 4)),  # where the dog was: another class
        found("dog", 0.6, (0, 0, 4, 3)),
    ]
    tracks = {n: [i.track for i in items] for n, items in _followed({1: first, 2: second}).items()}
    assert tracks == {1: [0, 1], 2: [1, 2, 0]}


def test_labels_tell_how_scores_moved():
    before, now = found(score=0.5), found(score=0.62)
    assert overlay._moved(now, before, 1) == "dog 0.62 (+0.12)"
    assert overlay._moved(before, found(score=0.501), 1) == "dog 0.50 (+0.00)"
    assert overlay._moved(now, None, 1) == "dog 0.62 (new)"
    assert overlay._moved(now, None, 0) == "dog 0.62"
