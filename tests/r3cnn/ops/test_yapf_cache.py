"""yapf's cache of its grammar, cut off while another process writes it, or for good."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def start(cache: Path, *modules: str) -> subprocess.Popen:
    code = "; ".join(f"import {module}" for module in modules)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT, env={**os.environ, "XDG_CACHE_HOME": str(cache)}, stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture
def grammar(tmp_path) -> Path:
    """The cached grammar, and next to it a whole copy."""
    assert start(tmp_path, "yapf").wait(60) == 0
    [path] = tmp_path.rglob("Grammar*.pickle")
    shutil.copy(path, tmp_path / "whole")
    return path


def cut(path: Path, size: int = 1000) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(("size", "error"), [(0, "EOFError"), (1000, "UnpicklingError")])
def test_without_us_a_cut_off_cache_ends_the_import(grammar, tmp_path, size, error):
    cut(grammar, size)
    assert error in start(tmp_path, "yapf").communicate(timeout=60)[1]


@pytest.mark.parametrize("size", [0, 1000])
def test_an_import_waits_for_the_rest(grammar, tmp_path, size):
    cut(grammar, size)
    process = start(tmp_path, "r3cnn", "yapf")
    time.sleep(1)
    assert process.poll() is None
    os.replace(tmp_path / "whole", grammar)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0


def test_what_stays_cut_off_is_removed_and_named(grammar, tmp_path):
    cut(grammar)
    processes = [start(tmp_path, "r3cnn", "yapf") for _ in range(3)]
    for process in processes:
        error = process.communicate(timeout=60)[1]
        assert error == "" or f"UserError: {grammar}: yapf's cache is cut off" in error
    assert any(process.returncode for process in processes)
    assert start(tmp_path, "r3cnn", "yapf").wait(60) == 0


def test_many_processes_start_at_once_in_a_new_environment(tmp_path):
    processes = [start(tmp_path, "r3cnn", "yapf") for _ in range(8)]
    assert [process.communicate(timeout=120)[1] for process in processes] == [""] * 8
