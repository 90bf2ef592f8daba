"""Tests of one group run in one process, which pytest 9.2 and xdist 3.8 together do not keep."""

import os
import subprocess
import sys
from pathlib import Path

WORKERS = """
import os
import pytest

@pytest.mark.parametrize("number", range(6))
def test_one(number):
    with open({seen!r}, "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + " ")
"""
GROUP = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group("one"))
"""


def test_a_group_runs_in_one_process(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    (tmp_path / "test_workers.py").write_text(WORKERS.format(seen=str(seen)))
    (tmp_path / "conftest.py").write_text(GROUP)
    run = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", str(tmp_path)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert len(seen.read_text().split()) == 6
    assert len(set(seen.read_text().split())) == 1
