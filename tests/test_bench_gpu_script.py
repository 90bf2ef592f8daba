"""What `make bench-gpu` does with .venv and with a bundle; a stub stands for the machine's python3."""

import importlib.util
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "bench_gpu.sh"
WHEEL = "onedl_mmcv-2.3.6-cp312-cp312-linux_x86_64.whl"
MIB = 2**20

spec = importlib.util.spec_from_file_location("names", SCRIPT.parent / "bench_gpu_names.py")
bundle_names = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bundle_names)


def run(*arguments: object, **environment: object) -> subprocess.CompletedProcess:
    command = ["bash", SCRIPT, *map(str, arguments)]
    env = os.environ | {name: str(value) for name, value in environment.items()}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


# ------------------------------------------------------------------------ the names it brings

BLOCKED = """
import sys
blocked = set({blocked!r})

class Allowed:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in blocked:
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Allowed, sys.meta_path)
from pathlib import Path
import r3cnn.cli
from r3cnn.bench import gpu
gpu.WARM_UP, gpu.ROUNDS = 0, 1
gpu.measure(Path({out!r}), ["mask_1x"], (96, 64), "smoke", steps=1, images=1)
"""


def measured_with(allowed: set[str], out: Path) -> subprocess.CompletedProcess:
    """The measurement where all installed packages but these cannot be imported."""
    blocked = sorted(
        top
        for top, of in packages_distributions().items()
        if top != "r3cnn" and not allowed & {canonicalize_name(name) for name in of}
    )
    code = BLOCKED.format(blocked=blocked, out=str(out))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_what_it_brings_is_enough_to_measure(tmp_path):
    """For this Python; on the other one the requirements are the same ones but for their markers."""
    allowed = bundle_names.names("3.12") | bundle_names.closure(["torch"], "3.12") | {"onedl-mmcv"}
    done = measured_with(allowed, tmp_path / "gpu.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "gpu.json").is_file()
    done = measured_with(allowed - {"pyparsing"}, tmp_path / "other.json")
    assert "No module named 'pyparsing'" in done.stderr


def test_every_package_it_brings_has_a_version():
    pins = bundle_names.pins(bundle_names.names("3.12"))
    found = {pin.partition("==")[0] for pin in pins}
    assert {
        "packaging",
        "shapely",
        "ninja",
        "wheel",
        "setuptools",
        "opencv-python-headless",
    } <= found
    assert "typing-extensions" in found  # torch's may be too old for what else is brought
    assert not {"torch", "sympy", "onedl-mmcv", "opencv-python", "imaug"} & found
    with pytest.raises(SystemExit, match="nothing: no version"):
        bundle_names.pins(["nothing"])


def test_requirements_of_the_other_python_are_followed(monkeypatch):
    needs = {"a": ['b; python_version == "3.12"', 'c; python_version < "3.12"', 'd; extra == "x"']}

    def distribution(name: str):
        return type("Distribution", (), {"requires": needs.get(name)})

    monkeypatch.setattr(bundle_names, "distribution", distribution)
    assert bundle_names.closure(["A"], "3.12") == {"a", "b"}


# ----------------------------------------------------------------------------- the bundle

PYTHON3 = """#!/bin/bash
echo "python3 $*" >>"$LOG"
case "$*" in
*"-m pip install"*onedl_mmcv*) touch "$BUILT" ;;
*"import mmcv.ops"*) [ -f "$BUILT" ] ;;
*bdist_wheel*) mkdir -p dist && head -c $((17 * 1024 * 1024)) /dev/zero >dist/{wheel} ;;
esac
"""


@pytest.fixture
def machine(tmp_path) -> dict[str, object]:
    """An environment with a bundle of one wheel and mmcv's sources, and a python3 that does nothing."""
    bundle, sources = tmp_path / "bundle", tmp_path / "mmcv-2.3.6"
    for folder in (bundle, sources, tmp_path / "bin"):
        folder.mkdir()
    (sources / "setup.py").touch()
    archive = bundle / "onedl_mmcv-2.3.6.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", tmp_path, sources.name], check=True)
    (bundle / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    with open(bundle / "bundle.sha256", "w") as file:
        subprocess.run("sha256sum ./*.whl ./*.gz", shell=True, cwd=bundle, stdout=file, check=True)
    python3 = tmp_path / "bin" / "python3"
    python3.write_text(PYTHON3.replace("{wheel}", WHEEL))
    python3.chmod(0o755)
    return {
        "BUNDLE": bundle,
        "VENV": tmp_path / "venv",
        "OUT": tmp_path / "out",
        "WORK": tmp_path / "work",
        "LOG": tmp_path / "log",
        "BUILT": tmp_path / "built",
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }


def calls(machine: dict) -> list[str]:
    lines = Path(machine["LOG"]).read_text().splitlines()
    Path(machine["LOG"]).unlink()
    return lines


def test_with_a_bundle_it_installs_builds_and_measures(machine):
    done = run("measure", "--models", "htc", **machine)
    assert done.returncode == 0, done.stderr
    installed, look, build, mmcv, look_again, measured = calls(machine)
    assert installed.startswith("python3 -m pip install")
    assert installed.endswith("a-1-py3-none-any.whl")
    assert "import mmcv.ops" in look
    assert look_again == look
    assert build == "python3 setup.py --quiet build_ext bdist_wheel"
    assert mmcv.endswith(WHEEL)
    result = machine["OUT"] / "bench-gpu.json"
    assert measured == f"python3 -m r3cnn bench gpu --out {result} --models htc"
    # a second call finds all this done
    assert run("measure", **machine).returncode == 0
    assert len(calls(machine)) == 2


def test_mmcvs_wheel_comes_back_in_pieces_that_spare_the_next_build(machine, tmp_path):
    run("measure", **machine)
    calls(machine)
    pieces = sorted(machine["OUT"].glob("*.part*"))
    assert [piece.stat().st_size for piece in pieces] == [16 * MIB, 1 * MIB]
    for piece in [*pieces, machine["OUT"] / "mmcv.sha256"]:
        piece.rename(machine["BUNDLE"] / piece.name)
    machine["BUILT"].unlink()
    machine["WORK"] = tmp_path / "bare"
    done = run("measure", **machine)
    assert done.returncode == 0, done.stderr
    installed, _, measured = calls(machine)
    assert WHEEL in installed
    assert "-m r3cnn bench gpu" in measured
    assert (tmp_path / "bare" / "wheels" / WHEEL).stat().st_size == 17 * MIB


def test_pieces_become_the_file_in_order(machine, tmp_path):
    content = b"".join(bytes([i]) * 100 for i in range(11))
    wheel = machine["BUNDLE"] / "a-1-py3-none-any.whl"
    wheel.write_bytes(content)
    with open(machine["BUNDLE"] / "bundle.sha256", "w") as file:
        subprocess.run(["sha256sum", wheel.name], cwd=machine["BUNDLE"], stdout=file, check=True)
    wheel.unlink()
    for i in range(11):
        (machine["BUNDLE"] / f"{wheel.name}.part{i:02}").write_bytes(bytes([i]) * 100)
    assert run("whole", machine["BUNDLE"], tmp_path / "whole").returncode == 0
    assert (tmp_path / "whole" / wheel.name).read_bytes() == content
    (machine["BUNDLE"] / f"{wheel.name}.part05").unlink()
    done = run("measure", **machine)
    assert done.returncode == 1
    assert "a file is missing or broken; copy it again" in done.stderr
    assert not machine["LOG"].exists()  # nothing was installed


def test_a_folder_that_is_no_bundle(machine):
    (machine["BUNDLE"] / "bundle.sha256").unlink()
    done = run("measure", **machine)
    assert done.returncode == 1
    assert "no bundle.sha256, expected a folder that `fetch` filled" in done.stderr


def test_a_bundle_is_fetched_into_an_empty_folder(tmp_path):
    (tmp_path / "x").touch()
    done = run("fetch", tmp_path)
    assert done.returncode == 1
    assert "not empty" in done.stderr


# ------------------------------------------------------------------------- the one command


@pytest.mark.parametrize("bundle", [True, False])
def test_with_the_environment_it_measures_at_once(machine, tmp_path, bundle):
    if not bundle:
        machine["BUNDLE"] = tmp_path / "none"
        done = run("measure", **machine)
        assert done.returncode == 1
        assert "make bench-gpu" in done.stderr
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text((tmp_path / "bin" / "python3").read_text())
    python.chmod(0o755)
    (tmp_path / "venv" / ".ready").touch()
    assert run("measure", "--steps", "5", **machine).returncode == 0
    result = machine["OUT"] / "bench-gpu.json"
    assert calls(machine) == [f"python3 -m r3cnn bench gpu --out {result} --steps 5"]


@pytest.mark.parametrize(
    ("bundle", "ready", "set_up"),
    [(True, False, False), (False, False, True), (True, True, False), (False, True, False)],
)
def test_make_sets_up_unless_there_is_something(tmp_path, bundle, ready, set_up):
    folder = tmp_path if bundle else tmp_path / "none"
    if ready:
        (tmp_path / ".ready").touch()
    command = ["make", "-n", "bench-gpu", f"BUNDLE={folder}", f"VENV={tmp_path}", "ARGS=--x"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert ("setup_venv.sh" in done.stdout) is set_up
    assert "bash scripts/bench_gpu.sh measure --x" in done.stdout


def test_without_a_command_it_says_how():
    done = run()
    assert done.returncode == 2
    assert "bash scripts/bench_gpu.sh fetch build/bundle" in done.stderr
    assert "set -euo" not in done.stderr
