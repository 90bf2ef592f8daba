"""A checkpoint of elsewhere in place of a training."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from click.testing import CliRunner

from r3cnn.catalogue.scales import load_scale
from r3cnn.cli.main import main
from r3cnn.config.load import load_config
from r3cnn.config.resolve import resolve
from r3cnn.weights import checkpoint
from r3cnn.weights.building import build_detector
from r3cnn.weights.loading import load_detector
from tests.r3cnn import tiny


class Meta:
    """What a model zoo's checkpoints hold beside the weights: an object that is pickled."""


@pytest.fixture
def config(shapes: dict, tmp_path: Path) -> Path:
    path = tmp_path / "config.py"
    path.write_text(resolve(tiny.entry("mask_1x"), load_scale("smoke"), 0, shapes).pretty_text)
    return path


def weights(config: Path) -> dict[str, torch.Tensor]:
    return build_detector(load_config(config), "cpu", seed=5).state_dict()


@pytest.fixture
def zoo(config: Path, tmp_path: Path) -> Path:
    """A checkpoint as mmdet's own, of the same network with other weights."""
    path = tmp_path / "zoo.pth"
    torch.save({"state_dict": weights(config), "meta": {"hooks": Meta()}}, path)
    return path


def take(config: Path, source: object, digest: str, out: Path):
    words = ["weights", "--config", str(config), "--source", str(source)]
    return CliRunner().invoke(main, [*words, "--sha256", digest, "--out", str(out)])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def require_taken(config: Path, zoo: Path, out: Path, source: str) -> None:
    theirs = weights(config)
    mine = load_detector(load_config(config), out / "checkpoint.pth").state_dict()
    assert all(torch.equal(mine[name], value) for name, value in theirs.items())
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["weights"] == {"source": source, "sha256": sha256(zoo)}
    assert (manifest["training"], manifest["seed"]) == ("mask_1x", 0)
    assert (manifest["iterations"], manifest["attempts"]) == (0, [])
    assert (out / "iou_histogram.csv").read_text().startswith("epoch,loop,assignment")
    assert (out / "train.jsonl").read_text() == (out / "validation.jsonl").read_text() == ""


def test_a_file(config, zoo, tmp_path):
    done = take(config, zoo, sha256(zoo), tmp_path / "out")
    assert done.exit_code == 0, done.output
    require_taken(config, zoo, tmp_path / "out", str(zoo))


def test_an_address(config, zoo, tmp_path):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(zoo.read_bytes())

        def log_message(self, *_) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/zoo.pth"
    try:
        done = take(config, address, sha256(zoo), tmp_path / "out")
        assert done.exit_code == 0, done.output
        require_taken(config, zoo, tmp_path / "out", address)
        done = take(config, address, "0" * 64, tmp_path / "other")
        assert done.exit_code == 1
        assert "the wrong file" in done.output
    finally:
        server.shutdown()
        server.server_close()


def test_another_file_is_not_even_opened(config, zoo, tmp_path):
    done = take(config, zoo, "0" * 64, tmp_path / "out")
    assert done.exit_code == 1
    assert f"error: {zoo}: sha256 {sha256(zoo)} found, expected 000" in done.output
    assert not (tmp_path / "out").exists()


def test_weights_of_another_network(config, zoo, tmp_path):
    other = {**weights(config), "roi_head.bbox_head.fc_cls.weight": torch.zeros(81, 128)}
    torch.save({"state_dict": other}, zoo)
    done = take(config, zoo, sha256(zoo), tmp_path / "out")
    assert done.exit_code == 1
    expected = f"error: {zoo}: roi_head.bbox_head.fc_cls.weight: found (81, 128), expected (7, 128) (1 tens"
    assert expected in done.output
    assert not (tmp_path / "out").exists()


def test_a_missing_file(config, tmp_path):
    done = take(config, tmp_path / "gone.pth", "0" * 64, tmp_path / "out")
    assert done.exit_code == 1
    assert "gone.pth: no such file, expected a checkpoint" in done.output


def test_what_is_written_holds_no_code(config, zoo, tmp_path):
    take(config, zoo, sha256(zoo), tmp_path / "out")
    assert set(checkpoint.load(tmp_path / "out" / "checkpoint.pth")) >= {"state_dict", "sha256"}


def test_classes_in_another_order_and_weights_that_are_not_finite(config, zoo, tmp_path, shapes):
    classes = tuple(reversed(shapes["classes"]))
    theirs = weights(config)
    torch.save({"state_dict": theirs, "meta": {"dataset_meta": {"classes": classes}}}, zoo)
    done = take(config, zoo, sha256(zoo), tmp_path / "out")
    assert done.exit_code == 1
    assert (
        f"error: {zoo}: the same classes in another order: label 0 means {classes[0]!r}"
        in done.output
    )
    theirs["roi_head.bbox_head.fc_cls.weight"][0, 0] = float("nan")
    torch.save({"state_dict": theirs}, zoo)
    done = take(config, zoo, sha256(zoo), tmp_path / "out")
    assert done.exit_code == 1
    assert f"error: {zoo}: roi_head.bbox_head.fc_cls.weight: not finite" in done.output
    assert not (tmp_path / "out").exists()


def test_a_wrapped_checkpoint_is_taken_under_mmdets_names(config, zoo, tmp_path):
    theirs = {f"module.{name}": value for name, value in weights(config).items()}
    preprocessor = load_config(config).model.data_preprocessor
    for key in ("mean", "std"):
        theirs[f"module.data_preprocessor.{key}"] = torch.tensor(preprocessor[key])
    torch.save({"model": theirs}, zoo)
    done = take(config, zoo, sha256(zoo), tmp_path / "out")
    assert done.exit_code == 0, done.output
    require_taken(config, zoo, tmp_path / "out", str(zoo))
