"""One small generated data set, and one untrained network on it, for all tests of the method."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """8 generated training images and 4 for validation, checked: the content of data.json."""
    from r3cnn.data.check import check
    from r3cnn.data.synthetic.shapes import generate

    folder: Path = tmp_path_factory.mktemp("shapes") / "data"
    generate(folder, train=8, val=4, width=160, height=128, classes=6, seed=0)
    return check(folder)


@pytest.fixture(scope="session")
def looped(shapes: dict, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """The config of r3_advanced on that data set, and a checkpoint of drawn weights."""
    from tests.r3cnn import tiny

    return tiny.untrained("r3_advanced", shapes, tmp_path_factory.mktemp("looped"))


@pytest.fixture(scope="session")
def plain(shapes: dict, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """The same of mask_1x, a model that does not loop."""
    from tests.r3cnn import tiny

    return tiny.untrained("mask_1x", shapes, tmp_path_factory.mktemp("plain"))
