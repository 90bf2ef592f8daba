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


# ------------------------------------------------------------------------- order, and what was left out

LEFT_OUT = "left out"
_left_out: dict[str, int] = {}


def _rank(item: pytest.Item) -> int:
    """Fast tests first, then the gates, then Slurm's, which wait for minutes, then the rest."""
    if item.get_closest_marker("slurm"):
        return 2
    if item.get_closest_marker("gate"):
        return 1
    return 3 * any(item.get_closest_marker(name) for name in ("slow", "browser"))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share a costly fixture, or Snakemake's lock, in one process of xdist."""
    items.sort(key=_rank)
    for item in items:
        if item.get_closest_marker("slurm"):  # one cluster serves all of them
            item.add_marker(pytest.mark.xdist_group("slurm"))
        room = item.path.relative_to(ROOT / "tests").parts[0]
        callspec = getattr(item, "callspec", None)
        if room == "parity" and "pair" in getattr(callspec, "params", {}):
            # a reference and a port take 20 seconds to build
            item.add_marker(pytest.mark.xdist_group(f"parity-{callspec.id}"))
        shares = item.get_closest_marker("slow") and not item.get_closest_marker("alone")
        if shares and room in ("faults", "e2e", "migration", "packaging"):
            # Snakemake holds a lock in the checkout
            group = "checkout" if room == "e2e" else f"{room}-{item.path.stem}"
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what -m leaves out, by its mark."""
    for item in items:
        for name in ("slurm", "browser", "slow"):
            if item.get_closest_marker(name):
                _left_out[name] = _left_out.get(name, 0) + 1
                break


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of xdist tells the first one what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[LEFT_OUT] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Every process collects the same tests, so one of them is asked."""
    _left_out.update(getattr(node, "workeroutput", {}).get(LEFT_OUT, {}))


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    """Say what was left out and how to run it."""
    if _left_out:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(_left_out.items()))
        terminalreporter.write_line(f"Left out: {counts} tests. All of them: make test-all")
