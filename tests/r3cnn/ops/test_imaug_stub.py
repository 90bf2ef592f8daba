"""mmdet imports imaug's module for its lane-line transforms; set-up leaves imaug out."""

import importlib.metadata
import os
import subprocess
import sys

import pytest

from r3cnn.core.layout import CHECKOUT
from r3cnn.ops.finder import PTH, STUB_FILE


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    known = {**os.environ, "PYTHONPATH": str(CHECKOUT), **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=known)


@pytest.mark.parametrize("ops", ["", "plain"])
def test_what_mmdet_imports_is_there_and_fails_when_called(ops):
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("imaug")
    code = (
        f"exec({PTH!r})\n"
        "import imgaug.augmenters as iaa\n"
        "from imgaug.augmentables.lines import LineString\n"
        "print(iaa.__file__)\n"
        "iaa.Sequential([])"
    )
    done = python(code, R3CNN_OPS=ops)
    assert done.stdout.strip() == str(STUB_FILE)
    assert "imgaug.Sequential" in done.stderr.splitlines()[-1]
    assert "pip install imaug" in done.stderr.splitlines()[-1]


def test_an_installed_one_is_found_before(tmp_path):
    (tmp_path / "imgaug.py").write_text("")
    code = "import r3cnn, imgaug; print(imgaug.__file__)"
    done = python(code, PYTHONPATH=f"{CHECKOUT}:{tmp_path}", R3CNN_OPS="plain")
    assert done.stdout.strip() == str(tmp_path / "imgaug.py")
