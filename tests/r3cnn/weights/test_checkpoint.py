"""Checkpoints are whole, ours, or refused with what to do about it."""

import errno
import io
import os
import pickle
import re

import pytest
import torch

from r3cnn.core.errors import UserError
from r3cnn.core.files import sha256_of
from r3cnn.weights import checkpoint
from r3cnn.weights.convert import convert

CONTENT = {
    "state_dict": {"a.weight": torch.arange(2000.0), "a.steps": torch.tensor(3)},
    "optimizer": {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]},
    "step": 7,
}


class Foreign:
    """What mmengine's message hub is to a checkpoint: an object that needs code."""


def foreign(path, content) -> None:
    torch.save(content, path)


def message_of(function, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_saved_is_loaded_and_has_the_same_bytes_each_time(tmp_path):
    for name in ("one", "two"):
        checkpoint.save(tmp_path / f"{name}.pth", CONTENT)
    found = checkpoint.load(tmp_path / "one.pth")
    assert torch.equal(found["state_dict"]["a.weight"], CONTENT["state_dict"]["a.weight"])
    assert found["step"] == 7
    assert sha256_of(tmp_path / "one.pth") == sha256_of(tmp_path / "two.pth")


def flip(data: bytes) -> bytes:
    """One bit of a weight."""
    at = data.index(torch.arange(2000.0).numpy().tobytes()) + 5000
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


BROKEN = {
    "half": lambda data: data[: len(data) // 2],
    "but 10 bytes": lambda data: data[:-10],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"<html>not found</html>",
    "a flipped bit": flip,
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_refused(tmp_path, case):
    path = tmp_path / "checkpoint.pth"
    checkpoint.save(path, CONTENT)
    path.write_bytes(BROKEN[case](path.read_bytes()))
    message = message_of(checkpoint.load, path)
    assert message.startswith(f"{path}: ")
    assert "train it again" in message or "python -m r3cnn train" in message


def test_a_missing_one_and_one_of_other_content_are_refused(tmp_path):
    assert "no such checkpoint; train it first" in message_of(checkpoint.load, tmp_path / "no.pth")
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    message = message_of(checkpoint.load, tmp_path / "list.pth")
    assert "holds a list, expected a dictionary of tensors" in message


@pytest.mark.parametrize("case", ["half", "a flipped bit"])
def test_a_broken_newest_is_set_aside_and_the_one_before_used(tmp_path, caplog, case):
    for step in (1, 2, 3):
        checkpoint.save_step(tmp_path, step, CONTENT | {"step": step})
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step_00000002.pth", "step_00000003.pth",
    ]  # fmt: skip
    newest = tmp_path / "step_00000003.pth"
    newest.write_bytes(BROKEN[case](newest.read_bytes()))
    assert checkpoint.load_newest(tmp_path)["step"] == 2
    assert (tmp_path / "step_00000003.broken").exists()
    assert "step_00000003.pth: truncated or corrupt" in caplog.text
    assert "the one before is used" in caplog.text
    (tmp_path / "step_00000002.pth").write_bytes(b"")
    assert checkpoint.load_newest(tmp_path) is None
    assert "the training starts from scratch" in caplog.text


@pytest.fixture
def two_steps(tmp_path):
    """A folder of two sound checkpoints, and their bytes."""
    for step in (1, 2):
        checkpoint.save_step(tmp_path, step, CONTENT | {"step": step})
    return tmp_path, {path.name: path.read_bytes() for path in tmp_path.iterdir()}


FAILURES = {
    **{name: OSError(getattr(errno, name), os.strerror(getattr(errno, name)))
       for name in ("EIO", "ESTALE", "EACCES", "ENOMEM", "ETIMEDOUT")},
    "no memory": MemoryError(),
    "torch's": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4"),
}  # fmt: skip


@pytest.mark.parametrize("where", ["open", "read", "torch.load"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_read_that_fails_leaves_every_checkpoint_as_it_is(two_steps, monkeypatch, where, name):
    folder, before = two_steps

    def fail(*arguments, **options):
        raise FAILURES[name]

    class Failing(io.BytesIO):
        read = readinto = readall = fail

    if where == "torch.load":
        monkeypatch.setattr(torch, "load", fail)
    elif where == "open":
        monkeypatch.setattr(io, "open", fail)
    else:
        monkeypatch.setattr(io, "open", lambda *arguments, **options: Failing())
    message = message_of(checkpoint.load_newest, folder)
    monkeypatch.undo()
    assert message.startswith(f"{folder / 'step_00000002.pth'}: cannot be read (")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert checkpoint.load_newest(folder)["step"] == 2


@pytest.mark.parametrize("name", ["EIO", "EACCES", "ESTALE"])
def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(two_steps, monkeypatch, name):
    folder, _ = two_steps

    def fail(*arguments):
        raise FAILURES[name]

    monkeypatch.setattr(os, "listdir", fail)
    monkeypatch.setattr(os, "scandir", fail)
    assert message_of(checkpoint.load_newest, folder).startswith(f"{folder}: cannot be read (")


def test_a_file_of_other_content_is_not_set_aside(two_steps):
    """It was whole when it was written: whoever put it there must say what it is."""
    folder, _ = two_steps
    torch.save([torch.ones(2)], folder / "step_00000003.pth")
    assert "holds a list" in message_of(checkpoint.load_newest, folder)
    assert not list(folder.glob("*.broken"))


def test_a_foreign_one_is_refused_with_the_command_that_converts_it(tmp_path):
    path = tmp_path / "epoch_12.pth"
    foreign(path, {"state_dict": CONTENT["state_dict"], "message_hub": Foreign()})
    message = message_of(checkpoint.load, path)
    assert re.search(
        r"python -m r3cnn convert --trust --sha256 [0-9a-f]{64} .*epoch_12.pth", message
    )


def test_a_foreign_one_is_converted_once_trusted(tmp_path):
    path, out = tmp_path / "epoch_12.pth", tmp_path / "weights.pth"
    foreign(path, {"state_dict": CONTENT["state_dict"], "message_hub": Foreign()})
    digest = sha256_of(path)
    assert f"--trust --sha256 {digest}" in message_of(convert, path, out, False, digest)
    assert f"--trust --sha256 {digest}" in message_of(convert, path, out, True, None)
    assert f"sha256 {digest} found, expected 00" in message_of(convert, path, out, True, "00")
    assert not out.exists()
    convert(path, out, True, digest)
    found = checkpoint.load(out)
    assert torch.equal(found["state_dict"]["a.weight"], CONTENT["state_dict"]["a.weight"])
    assert "message_hub" not in found


UNCONVERTIBLE = {
    "no weights": ({"epoch": 3}, "no tensors by name found"),
    "a number": (3, "no tensors by name found"),
}


@pytest.mark.parametrize("case", UNCONVERTIBLE)
def test_what_has_no_weights_is_not_converted(tmp_path, case):
    content, part = UNCONVERTIBLE[case]
    foreign(tmp_path / "x.pth", content)
    digest = sha256_of(tmp_path / "x.pth")
    message = message_of(convert, tmp_path / "x.pth", tmp_path / "out.pth", True, digest)
    assert part in message
    assert "export its state dict" in message


def test_what_needs_code_that_is_not_there_is_not_converted(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(pickle.dumps({"weights": Foreign()}).replace(b"Foreign", b"Unknown"))
    message = message_of(convert, path, tmp_path / "out.pth", True, sha256_of(path))
    assert str(path) in message
    assert "fetch it again" in message or "convert it where it was made" in message


def test_mmengine_cannot_fall_back_to_a_full_unpickle(tmp_path):
    from mmengine.runner.checkpoint import load_from_local

    foreign(tmp_path / "x.pth", {"state_dict": {}, "message_hub": Foreign()})
    with pytest.raises(pickle.UnpicklingError):
        load_from_local(str(tmp_path / "x.pth"), "cpu")
    assert os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "1"
