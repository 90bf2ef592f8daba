"""What `bench` says to what it is asked, before anything is measured."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from r3cnn.bench import gpu, rows
from r3cnn.cli import bench as cli_bench
from r3cnn.cli.main import main
from r3cnn.core.errors import UserError
from r3cnn.data.synthetic import shapes

MODEL = {
    "training_gib": 3.25, "step_seconds": 0.5, "images_per_second": 8.0,
    "over_htc": {"speed": 1.5, "step": 0.75, "memory": 0.625},
}  # fmt: skip
FILE = {
    "device": "GPU A", "size": "1333x800", "scale": "paper", "classes": 80, "memory_of": "GPU tensors",
    "models": {"mask_1x": MODEL, "groie": {**MODEL, "training_gib": None}}, "rows": {},
    "advanced": {"over_direct": {"channels last": 0.9}, "difference": {"channels last": 1.26e-6}},
}  # fmt: skip
ROW = {"what": "x", "against": "y", "ratio": 0.25, "aim": 0.1}


def bench(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["bench", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture
def out(tmp_path) -> Path:
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps(FILE))
    return path


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list:
    """What is asked of the measurement, which does not run."""
    found = []
    monkeypatch.setattr(gpu, "measure", lambda *given, **named: found.append((given, named)) or "")
    monkeypatch.setattr(rows, "measure", lambda *given: found.append(given) or "")
    return found


@pytest.mark.parametrize("named", [["gpu"], []])
def test_list_prints_the_file_and_measures_nothing(out, named, asked):
    code, text = bench(*named, "--list", "--out", out)
    assert code == 0, text
    lines = text.splitlines()
    assert lines[0] == "GPU A, 1333x800, 80 classes, scale paper; memory of GPU tensors"
    cells = ["3.25", "4.4", "0.62", "0.65", "0.500", "0.75", "8.00", "1.50", "2.13"]
    assert lines[2].split() == ["mask_1x", *cells]
    assert lines[3].split()[:4] == ["groie", "-", "-", "0.62"]
    assert lines[4].endswith(
        "channels last: 0.900 of the direct form's time, outputs differ by 1.3e-06"
    )
    assert asked == []


def test_list_prints_both_kinds(out):
    out.write_text(json.dumps({**FILE, "rows": {"score": ROW}}))
    _, text = bench("--list", "--out", out)
    assert "missed x / y" in text
    assert "GPU A" in text
    assert "missed x / y" not in bench("gpu", "--list", "--out", out)[1]


def test_list_of_a_file_without_a_gpu(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"rows": {"score": ROW}}))
    assert "no results of `bench gpu`" in bench("gpu", "--list", "--out", path)[1]


def test_the_settings_arrive(out, asked):
    code, text = bench("gpu", "--models", "htc, mask_1x", "--size", "96x64", "--out", out)
    assert code == 0, text
    assert asked == [((out,), {"models": ["htc", "mask_1x"], "size": (96, 64)})]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "96x64"], "--size is only for gpu"),
        (["--models", "htc", "score"], "--models is only for gpu"),
        (["--scale", "smoke", "--list"], "--scale is only for gpu"),
        (["--steps", "3"], "--steps is only for gpu"),
        (["gpu", "score"], "gpu cannot be combined with rows"),
        (["gpu", "--models", "htc,,mask_1x"], "an empty name"),
        (["gpu", "--size", "0x0"], "--size 0x0: expected WIDTHxHEIGHT, whole pixels from 64 to 4096"),
        (["gpu", "--size", "-5x10"], "--size -5x10: expected WIDTHxHEIGHT"),
        (["gpu", "--size", "64"], "--size 64: expected WIDTHxHEIGHT"),
        (["gpu", "--size", "64x5000"], "--size 64x5000: expected WIDTHxHEIGHT"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(out, arguments, message, asked):
    code, text = bench(*arguments, "--out", out)
    assert code == 1
    assert message in text
    assert asked == []


def test_sizes_are_those_of_generated_images():
    sides = {"train": 1, "val": 1, "classes": 1, "seed": 0, "objects": (1, 1), "height": 64}
    for width in cli_bench.SIDES:
        shapes._require_ranges({**sides, "width": width})
    for width in (cli_bench.SIDES[0] - 1, cli_bench.SIDES[1] + 1):
        with pytest.raises(UserError, match="width"):
            shapes._require_ranges({**sides, "width": width})


@pytest.mark.parametrize("named", [["gpu"], ["score"]])
def test_a_file_that_cannot_be_written_is_refused_first(tmp_path, named, asked, monkeypatch):
    def refused(at: Path) -> str:
        code, text = bench(*named, "--out", at)
        assert (code, asked, text.count("\n")) == (1, [], 1)
        return text

    assert "a folder, expected a file" in refused(tmp_path)
    assert "make it, or name another file" in refused(tmp_path / "none" / "x.json")

    def denied(path: Path) -> None:
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr(Path, "touch", denied)
    assert "change its permissions" in refused(tmp_path / "x.json")


def test_the_trial_leaves_nothing(tmp_path, asked):
    assert bench("score", "--out", tmp_path / "x.json")[0] == 0
    assert list(tmp_path.iterdir()) == []
    assert asked == [(("score",), tmp_path / "x.json")]
