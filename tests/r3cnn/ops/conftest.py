"""mmcv's functions, calling one of the substitutes or the compiled operators."""

import importlib
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from r3cnn.core.files import write_json
from r3cnn.ops.backend import has_torchvision, is_compiled
from r3cnn.weights.export import export
from tests.r3cnn import tiny
from tests.r3cnn.ops import drawn


@pytest.fixture(params=["plain", "vision"])
def substitute(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """mmcv's functions call this implementation."""
    if request.param == "vision" and not has_torchvision():
        pytest.skip("torchvision does not import here")
    module = importlib.import_module(f"r3cnn.ops.{request.param}")
    for user in drawn.USERS:
        monkeypatch.setattr(user, "ext_module", module)
    return module


@pytest.fixture
def compiled() -> ModuleType:
    if not is_compiled():
        pytest.skip("mmcv's operators are not compiled here")
    return importlib.import_module("mmcv._ext")


@pytest.fixture(scope="session")
def exported(looped: tuple, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with what `export` makes of r3_advanced: taken.py, taken.pth, taken.md."""
    trained, folder = tmp_path_factory.mktemp("trained"), tmp_path_factory.mktemp("exported")
    shutil.copy(looped[1], trained / "checkpoint.pth")
    shutil.copy(looped[0].filename, trained / "config.py")
    write_json(trained / "manifest.json", tiny.manifest())
    export(trained / "checkpoint.pth", folder / "taken.pth")
    return folder
