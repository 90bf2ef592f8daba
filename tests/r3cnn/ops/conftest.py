"""mmcv's functions, calling one of the substitutes or the compiled operators."""

import importlib
from types import ModuleType

import pytest

from r3cnn.ops.backend import has_torchvision, is_compiled
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
