"""Every process of the environment finds the operators, whoever imports mmdet first."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from r3cnn.core.layout import CHECKOUT
from r3cnn.ops.finder import PTH, SUBSTITUTE

WHERE = "import mmcv._ext; print(mmcv._ext.__file__)"
HEAVY = "import sys; print(sorted({'torch', 'numpy', 'mmcv'} & set(sys.modules)))"


def python(
    code: str, folder: Path, ops: str = "", path: str = str(CHECKOUT)
) -> tuple[int, str, str]:
    """A fresh process outside the checkout, with R3CNN_OPS."""
    environment = {**os.environ, "PYTHONPATH": path, "R3CNN_OPS": ops, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip
    return done.returncode, done.stdout.strip(), done.stderr


def test_the_package_supplies_them_and_stays_light(tmp_path):
    assert python(f"import r3cnn; {HEAVY}", tmp_path, "plain")[1] == "[]"
    assert python(f"import r3cnn; {WHERE}", tmp_path, "plain")[1] == str(SUBSTITUTE)


def test_the_line_of_the_pth_file_supplies_them(tmp_path):
    """What Python runs at its start, before a program imports mmdet alone."""
    code = f"exec({PTH!r}); import mmdet.apis; {WHERE}"
    assert python(code, tmp_path, "plain")[1].splitlines()[-1] == str(SUBSTITUTE)
    (tmp_path / "r3cnn").mkdir()
    gone = f"import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)]; exec({PTH!r})"
    assert python(gone, tmp_path, path="")[0] == 0


def test_the_line_leaves_the_package_to_the_working_folder(tmp_path):
    """Another checkout's r3cnn is imported from where the user stands."""
    (tmp_path / "r3cnn").mkdir()
    (tmp_path / "r3cnn" / "__init__.py").write_text("")
    code = f"exec({PTH!r}); import sys; assert 'r3cnn' not in sys.modules; sys.path.insert(0, '.')"
    found = python(f"{code}; import r3cnn; print(r3cnn.__file__)", tmp_path)
    assert Path(found[1]).resolve() == tmp_path / "r3cnn" / "__init__.py", found[2]


MMDET = "import mmdet.structures.mask"  # catches ImportError, and would go on without operators
COMMAND = "from r3cnn.cli.main import main; main(['doctor'])"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder whose mmcv has no compiled operators and whose torchvision does not import."""
    folder = tmp_path / "bare"
    (folder / "mmcv").mkdir(parents=True)
    for part in Path(importlib.util.find_spec("mmcv").origin).parent.iterdir():
        if not part.name.startswith("_ext."):
            (folder / "mmcv" / part.name).symlink_to(part)
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text("raise ImportError('hidden')")
    return folder


@pytest.mark.parametrize(
    ("ops", "said", "code"),
    [
        ("compiled", "mmcv has no compiled operators", MMDET),
        ("compiled", "mmcv has no compiled operators", COMMAND),
        ("torchvision", "torchvision does not import", MMDET),
        ("nothing", "expected one of compiled, torchvision, plain", MMDET),
    ],
)
def test_a_back_end_that_is_not_there_ends_the_process_with_one_line(bare, ops, said, code):
    start = f"exec({PTH!r}); "
    rc, _, error = python(start + code, bare.parent, ops, f"{bare}{os.pathsep}{CHECKOUT}")
    assert rc == 1
    assert error.count("\n") == 1
    assert error.startswith(f"error: R3CNN_OPS={ops}: {said}")


def test_an_unknown_back_end_is_refused_before_a_compiled_one_is_found(tmp_path):
    """Whether mmcv is compiled or not: a wrong spelling never falls back to what is there."""
    code = "import r3cnn, sys; print(type(sys.meta_path[0]).__name__)"
    assert python(code, tmp_path, "compield")[1] == "OperatorFinder"
    assert python(code, tmp_path, "compiled")[1] != "OperatorFinder"


def test_mmdet_that_came_first_and_found_nothing_is_named(bare):
    """Its stubs stay: better said at once than by the first mask that is cropped."""
    none = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'Operator' not in repr(f)]"
    code = f"{none}; {MMDET}; import r3cnn"
    rc, _, error = python(code, bare.parent, "", f"{bare}{os.pathsep}{CHECKOUT}")
    assert rc == 1
    assert error.splitlines()[-1].startswith("ImportError: mmdet was imported before r3cnn")


def test_what_is_compiled_but_does_not_load_is_named(bare):
    """Built for another torch: the reason, and what to do, instead of a fallback in silence."""
    (bare / "mmcv" / "_ext.py").write_text("raise ImportError('undefined symbol: _ZN5torch')")
    code = (
        "from r3cnn.ops.backend import OperatorError, back_end\n"
        "try:\n    back_end()\nexcept OperatorError as error:\n    print(error)"
    )
    said = python(code, bare.parent, "", f"{bare}{os.pathsep}{CHECKOUT}")[1]
    assert "undefined symbol: _ZN5torch" in said
    assert "OPS=compiled make setup" in said
    assert "R3CNN_OPS=compiled" not in said


def test_the_forced_one_is_named(tmp_path):
    code = "from r3cnn.ops.backend import back_end; print(back_end())"
    assert python(code, tmp_path, "plain")[1].startswith("plain, torch ")
