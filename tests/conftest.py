"""Fixtures that every room's tests may use."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout (env R3CNN_SHARED); skips where there is none."""
    folder = Path(os.environ.get("R3CNN_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no folder of shared data at {folder} (set R3CNN_SHARED)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a headless-capable Chromium; skips where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium on this machine (on Debian: apt-get install chromium)")
