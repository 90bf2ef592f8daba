"""Bad inputs of the command line: exit code 1, and one line with the file, the cause and the remedy."""

import ctypes
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.runs import EVERY_STEP, Run, command, train
from tests.r3cnn.data.test_transforms import BROKEN

pytestmark = pytest.mark.slow
CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3


@pytest.fixture
def own(undisturbed, base, tmp_path) -> Callable[[str], Path]:
    """A model's config that reads a copy of the data set, to be spoilt."""

    def copied(model: str) -> Path:
        shutil.copytree(base / "data", tmp_path / "data")
        config = tmp_path / "config.py"
        text = undisturbed(model).config.read_text()
        config.write_text(text.replace(str(base / "data"), str(tmp_path / "data")))
        return config

    return copied


def refused(ended, file: object, *parts: str) -> None:
    """Exit code 1 and one line that names the file, then the cause and the remedy."""
    assert ended.code == 1, ended.output
    assert ended.error.startswith(f"error: {file}"), ended.error
    for part in parts:
        assert part in ended.error, ended.error


# ---------------------------------------------------------------------------- images


IMAGES = [("train", case) for case in (*BROKEN, "missing", "a folder")]
IMAGES += [("val", case) for case in ("half a PNG", "another size", "missing")]


@pytest.mark.parametrize(("split", "case"), IMAGES)
def test_images(warm, own, undisturbed, tmp_path, split, case):
    """Spoilt after the check: the training keeps its last checkpoint, and goes on with the image back."""
    config = own("mask_rcnn")
    image = sorted((tmp_path / "data" / f"{split}2017").iterdir())[3]
    whole = image.read_bytes()
    image.unlink()
    data, parts = BROKEN.get(case, (None, ["cannot be read", "data check"]))
    if case == "a folder":
        image.mkdir()
    elif data is not None:
        image.write_bytes(data)
    run = Run(config, tmp_path, EVERY_STEP)
    weights = undisturbed("mask_rcnn").out / "checkpoint.pth"
    if split == "val":
        out = tmp_path / "p.parquet"
        arguments = ("--config", config, "--checkpoint", weights, "--loops", 1, "--out", out)
        ended = warm.run(tmp_path / "1.log", command, "predict", *arguments)
        assert not out.exists()
    else:
        ended = warm.run(tmp_path / "1.log", train, run)
        assert not run.out.exists()
    parts = [re.sub("64 x 48$", "80 x 64", part) for part in parts]
    refused(ended, image, *parts)
    if case == "half a PNG" and split == "train":
        image.write_bytes(whole)
        assert warm.run(tmp_path / "2.log", train, run).code == 0
        assert run.result() == undisturbed("mask_rcnn").result()


def test_an_image_that_a_worker_reads(warm, own, tmp_path):
    config = own("mask_rcnn")
    config.write_text(config.read_text().replace("num_workers=0", "num_workers=2"))
    for image in (tmp_path / "data" / "train2017").iterdir():
        image.write_bytes(b"")
    ended = warm.run(tmp_path / "1.log", train, Run(config, tmp_path))
    refused(ended, tmp_path / "data" / "train2017", "0 bytes found", "fetch it again")


# ----------------------------------------------------------------------- annotations

ANNOTATIONS = {
    "changed": (lambda data: data + b" ", "expected", "resolve the config again"),
    "half": (lambda data: data[: len(data) // 2], "expected", "put that file back"),
    "empty": (lambda data: b"", "sha256", "put that file back"),
    "missing": (None, "no such annotation file", "check the config's data folder"),
}
UNPINNED = {
    "half": (lambda data: data[: len(data) // 2], "invalid JSON", "write it again"),
    "Latin-1": (lambda data: b'{"\xe9"' + data[1:], "byte 2 is not UTF-8", "fetch it again"),
}


def spoil(path: Path, change: Callable | None) -> None:
    data = path.read_bytes()
    path.unlink()
    if change:
        path.write_bytes(change(data))


@pytest.mark.parametrize("case", ANNOTATIONS)
def test_annotations_that_changed_since_the_check(warm, own, tmp_path, case):
    change, cause, remedy = ANNOTATIONS[case]
    config = own("mask_rcnn")
    file = tmp_path / "data" / "annotations" / "instances_train2017.json"
    spoil(file, change)
    refused(warm.run(tmp_path / "log", train, Run(config, tmp_path)), file, cause, remedy)


@pytest.mark.parametrize("case", UNPINNED)
def test_annotations_of_a_config_without_checksums(warm, own, tmp_path, case):
    change, cause, remedy = UNPINNED[case]
    config = own("mask_rcnn")
    config.write_text(re.sub(r"(train|val)_sha256=\s*'\w+'", r"\1_sha256=None", config.read_text()))
    file = tmp_path / "data" / "annotations" / "instances_train2017.json"
    spoil(file, change)
    refused(warm.run(tmp_path / "log", train, Run(config, tmp_path)), file, cause, remedy)


# ----------------------------------------------------------------------- predictions


@pytest.fixture(scope="module")
def predictions(warm, undisturbed, tmp_path_factory) -> Path:
    run, out = undisturbed("mask_rcnn"), tmp_path_factory.mktemp("predictions") / "p.parquet"
    arguments = ("--checkpoint", run.out / "checkpoint.pth", "--loops", 1, "--out", out)
    ended = warm.run(
        out.with_suffix(".log"), command, "predict", "--config", run.config, *arguments
    )
    assert ended.code == 0, ended.output
    return out


PREDICTIONS = {
    "half": (lambda data: data[: len(data) // 2], "not a predictions file", "predict again"),
    "empty": (lambda data: b"", "not a predictions file", "predict again"),
    "text": (lambda data: b"image,score\n1,0.5\n", "not a predictions file", "predict again"),
    "missing": (None, "no such predictions file", "python -m r3cnn predict"),
}


@pytest.mark.parametrize("case", PREDICTIONS)
def test_predictions(warm, base, predictions, tmp_path, case):
    change, cause, remedy = PREDICTIONS[case]
    path = shutil.copy(predictions, tmp_path / "p.parquet")
    spoil(path, change)
    truth = base / "data" / "annotations" / "instances_val2017.json"
    arguments = ("--loops", 1, "--annotations", truth, "--out", tmp_path / "s.json")
    ended = warm.run(tmp_path / "log", command, "score", "--predictions", path, *arguments)
    refused(ended, path, cause, remedy)
    assert not (tmp_path / "s.json").exists()


def test_predictions_of_another_data_set(warm, base, predictions, tmp_path):
    other = base / "data" / "annotations" / "instances_train2017.json"
    arguments = ("--loops", 1, "--annotations", other, "--out", tmp_path / "s.json")
    ended = warm.run(tmp_path / "log", command, "score", "--predictions", predictions, *arguments)
    refused(ended, other, "was made for", "score it against the annotations it was made for")


def test_predictions_of_other_loops(warm, base, predictions, tmp_path):
    truth = base / "data" / "annotations" / "instances_val2017.json"
    arguments = ("--loops", 3, "--annotations", truth, "--out", tmp_path / "s.json")
    ended = warm.run(tmp_path / "log", command, "score", "--predictions", predictions, *arguments)
    refused(ended, predictions, "loops 3: holds [1]", "predict with --loops 3")


# ----------------------------------------------------------------------- checkpoints

CHECKPOINTS = {
    "half": (lambda data: data[: len(data) // 2], "truncated or corrupt", "train it again"),
    "empty": (lambda data: b"", "truncated or corrupt", "train it again"),
    "missing": (None, "no such checkpoint", "train it first"),
    "pickled": (
        lambda data: b"\x80\x02csomewhere\nThing\n)\x81.",
        "not a checkpoint of tensors",
        "python -m r3cnn convert --trust --sha256",
    ),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_checkpoints(warm, undisturbed, tmp_path, case):
    change, cause, remedy = CHECKPOINTS[case]
    run = undisturbed("mask_rcnn")
    path = shutil.copy(run.out / "checkpoint.pth", tmp_path / "checkpoint.pth")
    spoil(path, change)
    arguments = ("--checkpoint", path, "--loops", 1, "--out", tmp_path / "p.parquet")
    ended = warm.run(tmp_path / "log", command, "predict", "--config", run.config, *arguments)
    refused(ended, path, cause, remedy)


def test_a_checkpoint_of_another_network(warm, undisturbed, tmp_path):
    run, path = undisturbed("mask_rcnn"), undisturbed("r3_naive").out / "checkpoint.pth"
    arguments = ("--checkpoint", path, "--loops", 1, "--out", tmp_path / "p.parquet")
    ended = warm.run(tmp_path / "log", command, "predict", "--config", run.config, *arguments)
    refused(ended, path, "weights of another network", "trained with this config")


def test_a_state_of_another_network(warm, undisturbed, tmp_path):
    run = Run(undisturbed("mask_rcnn").config, tmp_path)
    assert warm.run(tmp_path / "1.log", train, run).code == 0
    shutil.copy(undisturbed("r3_naive").checkpoints[-1], run.checkpoints[-1])
    ended = warm.run(tmp_path / "2.log", train, run)
    refused(ended, run.state, "is of another network", "to train anew")


# --------------------------------------------------------- configs, data.json, folders

CONFIGS = {
    "half": (lambda data: data[: len(data) // 2], "SyntaxError", "resolve it again"),
    "empty": (lambda data: b"", "no `model`", "expected the config of a detector"),
    "binary": (lambda data: b"\xff\xfe\x00\x81", "UnicodeDecodeError", "resolve it again"),
    "missing": (None, "no such config file", "python -m r3cnn resolve"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configs(warm, undisturbed, tmp_path, case):
    change, cause, remedy = CONFIGS[case]
    path = shutil.copy(undisturbed("mask_rcnn").config, tmp_path / "config.py")
    spoil(path, change)
    refused(warm.run(tmp_path / "log", train, Run(path, tmp_path)), path, cause, remedy)


@pytest.mark.parametrize("case", ["half", "empty", "missing"])
def test_data_json(warm, data, tmp_path, case):
    path = shutil.copy(data, tmp_path / "data.json")
    spoil(path, {"half": lambda text: text[:200], "empty": lambda text: b""}.get(case))
    arguments = ("--training", "htc", "--scale", "smoke", "--out", tmp_path / "config.py")
    ended = warm.run(tmp_path / "log", command, "resolve", "--data", path, *arguments)
    refused(ended, path, "cannot be read", "python -m r3cnn data check")


def without_rights(*arguments: object) -> None:
    """As a user who is not root: without the capability to write anywhere."""
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, none) == 0
    command(*arguments)


@pytest.mark.parametrize("place", ["results", "state", "predictions"])
def test_a_folder_without_permission(warm, undisturbed, tmp_path, place):
    run, closed = undisturbed("mask_rcnn"), tmp_path / "closed"
    closed.mkdir(mode=0o555)
    weights = run.out / "checkpoint.pth"
    file = {"predictions": closed / "p.parquet"}.get(place, closed / "new")
    call = ("train", "--out", file if place == "results" else tmp_path / "out",
            "--state", file if place == "state" else run.state)  # fmt: skip
    if place == "predictions":
        call = ("predict", "--checkpoint", weights, "--loops", 1, "--out", file)
    ended = warm.run(tmp_path / "log", without_rights, *call, "--config", run.config)
    refused(ended, file, "cannot be written (Permission denied)", "change its permissions")
    assert not list(closed.iterdir())


def test_a_state_folder_that_is_a_file(warm, undisturbed, tmp_path):
    run = Run(undisturbed("mask_rcnn").config, tmp_path)
    run.state.write_text("")
    ended = warm.run(tmp_path / "log", train, run)
    refused(ended, run.state, "cannot be written (File exists)", "remove the file")
