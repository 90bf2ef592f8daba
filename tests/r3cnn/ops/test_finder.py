"""Every process of the environment finds the operators, whoever imports mmdet first."""

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


def test_a_spawned_worker_has_them(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "def where():\n"
        "    import mmcv._ext\n"
        "    print(mmcv._ext.__file__, flush=True)\n"
        "if __name__ == '__main__':\n"
        "    import r3cnn\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    worker = context.Process(target=where)\n"
        "    worker.start()\n"
        "    worker.join()\n"
    )
    sitecustomize = tmp_path / "site"  # as the installed .pth file does
    sitecustomize.mkdir()
    (sitecustomize / "sitecustomize.py").write_text(PTH)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{sitecustomize}{os.pathsep}{CHECKOUT}", "R3CNN_OPS": "plain"},
    )  # fmt: skip
    assert done.stdout.strip() == str(SUBSTITUTE), done.stderr


@pytest.mark.parametrize(
    ("ops", "said"),
    [("nothing", "R3CNN_OPS=nothing: expected one of compiled, torchvision, plain")],
)
def test_a_back_end_that_there_is_not(tmp_path, ops, said):
    code, _, error = python(
        "from r3cnn.ops.backend import back_end; print(back_end())", tmp_path, ops
    )
    assert code == 1
    assert said in error


def test_the_forced_one_is_named(tmp_path):
    code = "from r3cnn.ops.backend import back_end; print(back_end())"
    assert python(code, tmp_path, "plain")[1].startswith("plain, torch ")
