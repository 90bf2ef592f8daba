"""The sources pass the formatters' and linters' checks of `make lint`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COMMANDS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "snakefmt": ["snakefmt", "--check", "Snakefile", "workflow"],
    "snakemake lint": ["snakemake", "--lint"],
}


def check(command: list[str], folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BIN / command[0], *command[1:]], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_sources_pass(name):
    result = check(COMMANDS[name], ROOT)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_fault_is_found(name, tmp_path):
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "fault.py").write_text("import os\nx  =  1\n")
    (tmp_path / "workflow").mkdir()
    snakefile = 'rule a:\n    output: "x"\n    shell:\n        "cat /tmp/y > {output}"\n'
    (tmp_path / "Snakefile").write_text(snakefile)
    assert check(COMMANDS[name], tmp_path).returncode != 0
