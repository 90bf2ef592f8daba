"""The wheel, installed in an empty environment and used from an empty folder, without a checkout."""

import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from r3cnn.core.layout import CHECKOUT
from r3cnn.ops.finder import PTH_FILE
from tests.reports.folders import ResultFolder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files that git knows, as a user's clone has them."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT)
    for name in filter(None, names.split("\0")):
        source, target = CHECKOUT / name, tree / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", str(folder), str(tree), cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `r3cnn` of an environment that holds the wheel, beside the dependencies that are here."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    run(
        sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet",
        "--no-deps", "--no-index", str(wheel),
    )  # fmt: skip
    # after the wheel's own packages: dependencies alone, no editable install of this checkout
    lines = [
        path for path in (*site.getsitepackages(), *sys.path) if path.endswith("site-packages")
    ]
    (packages / "dependencies.pth").write_text("\n".join(dict.fromkeys(lines)))
    return folder / "bin" / "r3cnn"


def run(*words: str, cwd: Path | None = None, **environment: str) -> str:
    known = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, check=False, env=known | environment
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"[-3000:]
    return done.stdout


def test_the_wheel_holds_packages_and_data_only(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith((".dist-info", ".pth"))} == {
        "r3cnn",
        "r3cnn_reports",
    }
    for expected in (
        "r3cnn/experiments/paper.yaml",
        "r3cnn/experiments/models/with/dcn.py",
        "r3cnn/experiments/scales/smoke.yaml",
        "r3cnn/experiments/weights/shapes.pth",
        "r3cnn/catalogue/schemas/scale.schema.yaml",
        "r3cnn_reports/tables.yaml",
        "r3cnn_reports/schemas/claims.schema.yaml",
        "r3cnn_reports/published/table1.csv",
        "r3cnn_reports/page/templates/index.html.j2",
        "r3cnn_reports/style.mplstyle",
    ):
        assert expected in names
    assert not [name for name in names if "measured" in name or "tests" in name]


def test_mmdet_alone_finds_the_operators(command: Path, tmp_path: Path) -> None:
    """The .pth file of the wheel supplies them; nothing imports r3cnn."""
    code = "import mmdet.apis, mmcv._ext; print(mmcv._ext.__file__)"
    python = str(command.with_name("python"))
    found = run(python, "-c", code, cwd=tmp_path, R3CNN_OPS="plain").splitlines()[-1]
    assert found == str(next(command.parents[1].glob("lib/python*/site-packages/r3cnn/ops/ext.py")))


def test_uninstalling_leaves_nothing_behind(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    record = next(name for name in archive.namelist() if name.endswith("/RECORD"))
    listed = {line.split(",")[0] for line in archive.read(record).decode().splitlines()}
    assert PTH_FILE in listed
    assert set(archive.namelist()) <= listed


def test_it_works_from_an_empty_folder(command: Path, tmp_path: Path) -> None:
    empty, results = tmp_path / "empty", ResultFolder(tmp_path / "smoke")
    empty.mkdir()
    where = "import r3cnn; print(r3cnn.__file__)"
    python = str(command.with_name("python"))
    assert run(python, "-c", where, cwd=empty).startswith(str(command.parents[1]))
    assert run(str(command), "--version", cwd=empty).split()[-1] == "0.2.0"
    run(
        str(command),
        "resolve",
        "--training",
        "r3l_dcn",
        "--scale",
        "smoke",
        "--out",
        "c.py",
        cwd=empty,
    )
    assert "R3RoIHead" in (empty / "c.py").read_text()
    results.data()
    results.train("htc")
    results.score("htc", 3, 0.4, 0.3)
    status = run(str(command), "status", "--results", str(results.path), cwd=empty)
    assert "1 done" in status
    run(
        str(command), "report", "html", "--results", str(results.path), "--out", "report", cwd=empty
    )
    page = (empty / "report" / "index.html").read_text()
    assert "40.0" in page
    run(str(command), "report", "tables", "--results", str(results.path), "--out", "t", cwd=empty)
    assert (empty / "t" / "table1.csv").is_file()
    assert not (empty / "reports").exists()
