"""The sources pass the formatters' and linters' checks of `make lint`."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
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


OPENERS = {
    "Image",
    "tarfile",
    "urllib",
    "webbrowser",
    "browser",
    "os",
}  # whose `open` opens no text


def without_encoding(source: str) -> Iterator[tuple[int, str]]:
    """(line, call) of every text that is read, written or taken from a process in the locale's encoding."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function, keywords = node.func, {keyword.arg for keyword in node.keywords}
        method = isinstance(function, ast.Attribute)
        name = function.attr if method else getattr(function, "id", "")
        owner = function.value.id if method and isinstance(function.value, ast.Name) else ""
        constants = [*node.args, *(k.value for k in node.keywords if k.arg == "mode")]
        texts = [n.value for one in constants for n in ast.walk(one) if isinstance(n, ast.Constant)]
        binary = any(re.fullmatch("[rwax+]*b[rwax+]*", str(text)) for text in texts)
        read = (method and name in ("read_text", "write_text")) or (
            name in ("open", "fdopen") and not binary and owner not in OPENERS
        )
        read |= name in ("run", "Popen", "check_output") and "text" in keywords
        if read and "encoding" not in keywords:
            yield node.lineno, name


def test_every_text_names_its_encoding():
    files = [ROOT / "setup.py"]
    for room in ("r3cnn", "reports", "scripts", "workflow"):
        files += sorted((ROOT / room).rglob("*.py"))
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name} without encoding="
        for path in files
        for line, name in without_encoding(path.read_text(encoding="utf-8"))
    ]
    assert found == []
    for path in [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\.(read|write)_text\((?![^()]*encoding=)|\bopen\(", text), path


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("open('a')", 1),
        ("open('a', mode='w', newline='')", 1),
        ("path.open()", 1),
        ("path.read_text()", 1),
        ("path.write_text('rb')", 1),
        ("subprocess.run(x, text=True)", 1),
        ("open('a', 'rb'); path.open('wb'); Image.open(path)", 0),
        ("open('a', encoding='utf-8'); path.read_text(encoding='utf-8'); read_text(path)", 0),
    ],
)
def test_a_text_without_encoding_is_found(source, faults):
    assert len(list(without_encoding(source))) == faults
