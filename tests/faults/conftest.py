"""A tiny data set, configs of three models on it, and the result of each without a fault."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.runs import SCALE, Run, Warm, command

MODELS = {"mask_rcnn": "mask_1x", "r3_naive": "r3_2loops", "r3_advanced": "r3_advanced"}


@pytest.fixture(scope="session")
def warm() -> Warm:
    return Warm()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="session")
def data(warm: Warm, base: Path) -> Path:
    """data.json of the checked data set in base/data."""
    log, out = base / "data.log", base / "data.json"
    for arguments in (
        ("data", "shapes", "--scale", SCALE, "--out", base / "data"),
        ("data", "check", "--data", base / "data", "--out", out),
    ):
        ended = warm.run(log, command, *arguments)
        assert ended.code == 0, ended.output
    return out


@pytest.fixture(scope="session")
def config(warm: Warm, base: Path, data: Path) -> Callable[[str], Path]:
    """The resolved config of a model."""

    @functools.cache
    def resolved(model: str) -> Path:
        out = base / f"{model}.py"
        arguments = ("--training", MODELS[model], "--scale", SCALE, "--data", data, "--out", out)
        ended = warm.run(base / "resolve.log", command, "resolve", *arguments)
        assert ended.code == 0, ended.output
        return out

    return resolved


@pytest.fixture(scope="session")
def undisturbed(warm: Warm, base: Path, config: Callable) -> Callable[[str], Run]:
    """A model's training that met no fault."""
    from tests.faults.runs import train

    @functools.cache
    def trained(model: str) -> Run:
        run = Run(config(model), base / model)
        ended = warm.run(base / f"{model}.log", train, run)
        assert ended.code == 0, ended.output
        rows = (run.out / "iou_histogram.csv").read_text().splitlines()[1:]
        assert {row.split(",")[0] for row in rows} == {"1", "2"}  # both epochs were counted
        return run

    return trained
