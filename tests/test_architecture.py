"""Who may import what, what is data only, and that nothing names one machine."""

import re
import subprocess
import sys
from pathlib import Path

import floors
import pytest

from tests import architecture as look

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "r3cnn": {
        "snakemake",
        "pandas",
        "matplotlib",
        "jinja2",
        "reports",
        "r3cnn_reports",
        "workflow",
    },
    "reports": {"torch", "mmdet", "mmcv", "mmengine", "snakemake", "r3cnn", "workflow"},
    "workflow": {"torch", "mmdet", "mmcv", "mmengine", "pandas", "matplotlib", "reports", "r3cnn"},
}
ALLOWED = {"workflow": {"r3cnn.catalogue", "r3cnn.core"}, "reports": {"r3cnn.core"}}
CORE_MAY_USE = {*sys.stdlib_module_names, "yaml", "jsonschema", "r3cnn"}
HEAVY = {"torch", "mmdet", "mmcv", "mmengine", "cv2", "pycocotools", "pandas", "matplotlib"}
TEXT_LIMIT = 2_000_000


def python_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def snakefiles() -> list[Path]:
    rules = sorted((ROOT / "workflow").rglob("*.smk"))
    return [ROOT / "Snakefile", ROOT / "workflow" / "Snakefile", *rules]


def imports_of(path: Path) -> list[str]:
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return look.smk_imports(source)
    return floors.python_imports(source, ".".join(path.relative_to(ROOT).parent.parts))


def breaches(room: str, files: list[Path]) -> list[str]:
    forbidden, allowed = FORBIDDEN[room], ALLOWED.get(room, set())
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in look.forbidden_imports(imports_of(path), forbidden, allowed)
    ]


def modules_loaded_by(*arguments: str) -> set[str]:
    """Top-level modules that a fresh Python imports, from its own import-time log."""
    command = [sys.executable, "-X", "importtime", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    logged = re.findall(r"^import time:.*\| +([\w.]+)$", result.stderr, re.MULTILINE)
    return {name.split(".")[0] for name in logged}


def project_texts() -> list[Path]:
    """Files that git tracks or would track, binary and very large ones left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"not a git checkout: {result.stderr.strip()}")
    paths = [ROOT / name for name in result.stdout.split("\0") if name]
    return [
        path
        for path in paths
        if path.is_file()
        and path.stat().st_size < TEXT_LIMIT
        and b"\0" not in path.read_bytes()[:8192]
    ]


@pytest.mark.parametrize("room", ["r3cnn", "reports"])
def test_a_room_imports_nothing_of_the_others(room):
    files = python_files(room)
    assert files, f"{room}/ holds no Python file"
    assert breaches(room, files) == []


def test_the_workflow_imports_catalogue_and_core_only():
    files = snakefiles() + python_files("workflow")
    assert len(files) > 1, "workflow/ holds no rules"
    assert breaches("workflow", files) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("r3cnn", "import r3cnn_reports"),
        ("r3cnn", "import os, pandas as pd"),
        ("r3cnn", "def f():\n    from matplotlib import pyplot"),
        ("r3cnn", "import importlib\nimportlib.import_module('snakemake.api')"),
        ("reports", "from r3cnn.catalogue import load"),
        ("reports", "import torch.nn"),
    ],
)
def test_a_forbidden_import_is_found(room, source):
    assert look.forbidden_imports(floors.python_imports(source, room), FORBIDDEN[room])


@pytest.mark.parametrize(
    "source",
    [
        "import torch\n",
        "if True:\n    from mmdet.models import (\n        HTC,\n    )\n",
        "import json, pandas  # quick\n",
        "from r3cnn import catalogue, train\n",
        "import r3cnn\n",
    ],
)
def test_a_forbidden_import_in_a_snakefile_is_found(source):
    text = f"configfile: 'x.yaml'\n{source}\nrule all:\n    input: 'import-free'\n"
    names = look.smk_imports(text)
    assert look.forbidden_imports(names, FORBIDDEN["workflow"], ALLOWED["workflow"])


def test_allowed_imports_pass():
    names = look.smk_imports(
        "from r3cnn.catalogue import x\nfrom r3cnn.core import errors\nimport os"
    )
    assert names == ["r3cnn.catalogue.x", "r3cnn.core.errors", "os"]
    assert look.forbidden_imports(names, FORBIDDEN["workflow"], ALLOWED["workflow"]) == []
    assert floors.python_imports("from .box import Box", "r3cnn.models") == ["r3cnn.models.box.Box"]
    assert floors.python_imports("from .. import config", "r3cnn.models") == ["r3cnn.config"]


@pytest.mark.parametrize(
    "module", ["r3cnn.catalogue.trainings", "r3cnn.cli.main", "r3cnn.core.errors"]
)
def test_the_light_modules_import_nothing_heavy(module):
    assert modules_loaded_by("-c", f"import {module}") & HEAVY == set()


def test_help_loads_nothing_heavy():
    loaded = modules_loaded_by("-m", "r3cnn", "--help")
    assert "r3cnn" in loaded
    assert loaded & HEAVY == set()


def test_a_heavy_import_is_found():
    assert modules_loaded_by("-c", "import pycocotools.mask") & HEAVY == {"pycocotools"}


def test_core_stands_on_the_standard_library_yaml_and_jsonschema():
    files = sorted((ROOT / "r3cnn" / "core").glob("*.py"))
    assert len(files) > 5
    beyond = {
        f"{path.name}: {name}"
        for path in files
        for name in imports_of(path)
        if name.split(".")[0] not in CORE_MAY_USE
    }
    assert beyond == set()
    loaded = modules_loaded_by("-c", "import " + ", ".join(f"r3cnn.core.{f.stem}" for f in files))
    assert loaded & (HEAVY | {"numpy"}) == set()


# ------------------------------------------------------------------------------------- floors


@pytest.mark.parametrize("package", floors.FLOORS)
def test_imports_run_down(package):
    graph = floors.module_graph(ROOT / package)
    assert len(graph) > 20
    assert floors.uphill(floors.arrows(graph), floors.FLOORS[package]) == []
    assert floors.cycles(graph) == []


@pytest.mark.parametrize("package", floors.FLOORS)
def test_every_room_stands_on_a_floor(package):
    rooms = {path.name for path in (ROOT / package).iterdir() if any(path.glob("*.py"))}
    assert rooms <= {room for floor in floors.FLOORS[package] for room in floor}


def test_an_import_that_runs_up_is_found(tmp_path):
    own = (("core",), ("data", "models"), ("cli",))
    sources = {
        "core/files": "",
        "data/check": "from ..core import files",
        "models/head": "def f():\n    from ..cli.main import main",
        "cli/main": "from ..data.check import x\nfrom ..models import head",
    }
    for name, source in sources.items():
        path = tmp_path / "house" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    graph = floors.module_graph(tmp_path / "house")
    up = "house.models.head -> house.cli.main"
    assert floors.uphill(floors.arrows(graph), own) == [up]
    assert sorted(floors.cycles(graph)[0][:2]) == ["house.cli.main", "house.models.head"]
    (tmp_path / "house/models/head.py").write_text("from house.data.check import x")
    along = "house.models.head -> house.data.check"
    graph = floors.module_graph(tmp_path / "house")
    assert floors.uphill(floors.arrows(graph), own) == [along]
    assert floors.cycles(graph) == []
    assert "cli: stands on no floor" in floors.uphill(floors.arrows(graph), own[:2])


def test_only_layout_knows_how_deep_a_file_lies():
    deep = re.compile(r"__file__[^\n]*\.parents?\b")
    found = [
        str(path.relative_to(ROOT))
        for room in ("r3cnn", "reports")
        for path in python_files(room)
        if deep.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["r3cnn/core/layout.py"]


def test_experiments_hold_data_only():
    files = python_files("experiments")
    assert files, "experiments/ holds no config"
    faults = {
        str(path.relative_to(ROOT)): found
        for path in files
        if (found := look.code_in_data(path.read_text(encoding="utf-8")))
    }
    assert faults == {}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import os", "line 1: Import"),
        ("from a import b", "line 1: ImportFrom"),
        ("a = 1\ndef f():\n    pass", "line 2: FunctionDef"),
        ("class A:\n    pass", "line 1: ClassDef"),
        ("for i in [1]:\n    pass", "line 1: For"),
        ("a = lambda: 1", "line 1: Lambda"),
        ("a = open('x')", "line 1: call of open"),
    ],
)
def test_code_among_the_data_is_found(source, fault):
    assert look.code_in_data(source) == [fault]


def test_assignments_are_data():
    source = '"""A variant."""\n_base_ = "mmdet::x.py"\nmodel = dict(a=[1], b=_base_.model.b)\n'
    assert look.code_in_data(source) == []


def test_the_snakefile_is_a_table_of_contents():
    assert len((ROOT / "workflow" / "Snakefile").read_text(encoding="utf-8").splitlines()) <= 40


def test_no_file_names_a_machine_or_a_package_index():
    texts = project_texts()
    assert ROOT / "pyproject.toml" in texts
    faults = {
        str(path.relative_to(ROOT)): found
        for path in texts
        if (found := look.local_names(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert faults == {}


# Written with | for / and ~ for nothing, so that this file does not match.
@pytest.mark.parametrize(
    "written",
    [
        "cd |work|main",
        'folder = "|home|someone|data"',
        "see (|root|.cache)",
        "pip install --index~-url x torch",
        "pip install --extra-index~-url https:||wheels.example.org|whl|cu126 torch",
        "https:||pyp~i.org|simple",
    ],
)
def test_a_local_name_is_found(written):
    line = written.replace("|", "/").replace("~", "")
    assert look.local_names(line) == [f"line 1: {line}"]


@pytest.mark.parametrize(
    "line",
    [
        *("results/home/x", "a/home/b", "https://x.org/home/1", "./root/"),
        "pip install torch --index-url https://download.pytorch.org/whl/cpu",
        "uv pip compile --no-emit-index-url",
    ],
)
def test_relative_paths_and_pytorchs_own_index_pass(line):
    assert look.local_names(line) == []
