"""constraints.txt is the one list of versions: every other place that states one agrees with it."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.]+)")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
OF_A_BUILD = {"torch", "torchvision"}  # for one version of CUDA, or for the CPU


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_in(lines: list[str]) -> dict[str, str]:
    """Versions by canonical name of every `name==version` in the lines, comments left out."""
    found = {}
    for line in lines:
        for match in PIN.finditer(line.split("#")[0]):
            found[canonical(match["name"])] = match["version"]
    return found


def disagreements(stated: dict[str, str], constraints: dict[str, str]) -> list[str]:
    return [
        f"{name}=={version}, but constraints.txt has {constraints.get(name)}"
        for name, version in stated.items()
        if constraints.get(name) != version
    ]


def names_of(requirements: list[str]) -> set[str]:
    return {canonical(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def constraint_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def constraints() -> dict[str, str]:
    return pins_in(constraint_lines())


@pytest.fixture(scope="module")
def conda() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


@pytest.fixture(scope="module")
def conda_pip(conda) -> list[str]:
    return next(part["pip"] for part in conda["dependencies"] if isinstance(part, dict))


@pytest.fixture(scope="module")
def post_deploy() -> dict[str, str]:
    return pins_in((ROOT / "environment.post-deploy.sh").read_text().splitlines())


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_a_disagreement_is_found():
    stated = pins_in(["- torch==2.12.0", "pip install onedl_mmcv==2.3.6  # six==0", "pandas>=3"])
    assert stated == {"torch": "2.12.0", "onedl-mmcv": "2.3.6"}
    assert disagreements(stated, {"torch": "2.13.0", "onedl-mmcv": "2.3.6"}) == [
        "torch==2.12.0, but constraints.txt has 2.13.0"
    ]


def test_every_constraint_is_one_exact_version(constraints):
    unpinned = [line for line in constraint_lines() if not PIN.fullmatch(line)]
    assert unpinned == []
    assert len(constraints) == len(constraint_lines()), "a name stands twice in constraints.txt"


def locked(name: str) -> dict[str, list[str]]:
    """Of a lock: each `name==version`, and its lines of hashes."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            found[list(found)[-1]].append(line)
        elif not line.startswith("#"):
            found[line.removesuffix(" \\")] = []
    return found


def test_the_lock_states_the_constraints(constraints):
    lock = locked("requirements.lock")
    assert [line for line in lock if not PIN.fullmatch(line)] == [], "markers, addresses or ranges"
    assert pins_in(list(lock)) == {
        name: version for name, version in constraints.items() if name not in OF_A_BUILD
    }, "run make lock"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-build.lock"])
def test_every_locked_file_has_its_hash(name):
    for package, lines in locked(name).items():
        assert lines, f"{package}: no hash"
        assert [line for line in lines if not HASH.fullmatch(line)] == []
        assert len(set(lines)) == len(lines)


def test_the_lock_knows_the_files_of_every_python():
    """A wheel for each Python has a hash of its own, so compiled packages have many."""
    lock = locked("requirements.lock")
    for name in ("numpy", "pyarrow", "pydantic-core", "hotcoco"):
        (package,) = [line for line in lock if line.startswith(f"{name}==")]
        assert len(lock[package]) >= 3, f"{package}: fewer hashes than Pythons"


def test_what_is_built_with_comes_first_in_the_same_versions():
    lock, build = locked("requirements.lock"), locked("requirements-build.lock")
    assert names_of(list(build)) == {"pip", "setuptools", "wheel", "packaging"}
    assert build == {package: lock[package] for package in build}


def test_what_is_left_out_of_the_lock_is_in_no_list(constraints, conda_pip):
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    left_out = set(tables["tool"]["uv"]["exclude-dependencies"])
    assert left_out == {"imaug", "opencv-python"}
    assert not left_out & (set(constraints) | set(pins_in(conda_pip)))


def test_environment_yml_states_the_constraints(conda_pip, constraints):
    assert [line for line in conda_pip if not PIN.fullmatch(line)] == []
    assert disagreements(pins_in(conda_pip), constraints) == []


def test_environment_yml_says_how_to_take_cuda_12(constraints):
    lines = re.findall(r"^ +# - (.*)$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    assert lines == [
        "--extra-index-url https://download.pytorch.org/whl/cu126",
        *(f"{name}=={constraints[name]}+cu126" for name in ("torch", "torchvision")),
    ]


def test_nothing_of_the_conda_environment_is_compiled(conda):
    packages = [part for part in conda["dependencies"] if isinstance(part, str)]
    assert names_of(packages) == {"python", "pip", "git"}
    script = (ROOT / "environment.post-deploy.sh").read_text()
    assert "MMCV_WITH_OPS=0" in script


def test_every_place_states_the_pythons(conda, project):
    assert conda["name"] == "r3cnn"
    assert project["requires-python"] == ">=3.11,<3.14"
    versions = {line.rpartition(" ")[2] for line in project["classifiers"] if ":: 3." in line}
    assert versions == {"3.11", "3.12", "3.13"}
    (python,) = [part for part in conda["dependencies"] if str(part).startswith("python=")]
    assert python.partition("=")[2] in versions


def test_post_deploy_states_the_constraints(post_deploy, constraints):
    assert "onedl-mmcv" in post_deploy
    assert disagreements(post_deploy, constraints) == []


def test_environment_yml_installs_all_that_the_project_needs(conda_pip, post_deploy, project):
    installed = set(pins_in(conda_pip)) | set(post_deploy)
    needed = names_of(project["dependencies"])
    for name in ("onedl-mmcv", "onedl-mmdetection"):  # installed without their dependencies
        requires = importlib.metadata.requires(name)
        needed |= names_of([line for line in requires if ";" not in line])
    assert needed - installed == {"imaug", "opencv-python"}


def test_mmcv_and_mmdet_come_without_dependencies(conda_pip):
    # In the pip list mmcv would be built in isolation, and mmdet bring imaug and old releases of NumPy.
    assert not {"onedl-mmcv", "onedl-mmdetection"} & names_of(conda_pip)


def test_pyproject_agrees_with_the_constraints(project, constraints):
    requirements = sum(project["optional-dependencies"].values(), project["dependencies"])
    assert names_of(requirements) - set(constraints) == set()
    hard = pins_in(requirements)
    assert set(hard) == {"onedl-mmcv", "onedl-mmdetection", "onedl-mmengine", *OF_A_BUILD}
    assert disagreements(hard, constraints) == []


def test_the_environment_at_hand_is_the_pinned_one(constraints):
    # A local label (+cpu, +cu130) tells the build, not the version.
    installed = {
        canonical(distribution.metadata["Name"]): distribution.version.split("+")[0]
        for distribution in importlib.metadata.distributions()
    }
    stated = {name: version for name, version in installed.items() if name in constraints}
    assert "torch" in stated
    assert disagreements(stated, constraints) == []


def test_pip_check_names_what_is_left_out_and_nothing_else():
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert sorted(
        line for line in said.splitlines() if "requires" in line or "requirement" in line
    ) == [
        "onedl-mmcv 2.3.6 requires opencv-python, which is not installed.",
        "onedl-mmdetection 3.5.1 requires imaug, which is not installed.",
    ], said


def test_there_is_one_opencv_and_it_is_the_headless_one():
    packages = importlib.metadata.packages_distributions()["cv2"]
    assert set(packages) == {"opencv-python-headless"}


def commands(*settings: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """What `make setup` would run."""
    words = ["make", "setup", "DRY_RUN=1", f"VENV={folder / 'venv'}", *settings]
    kept = ("CUDA", "OPS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    env = {name: value for name, value in os.environ.items() if name not in kept} | environment
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert not (folder / "venv").exists()
    return done


@pytest.mark.parametrize("build", ["cu126", "cu130", "cpu", "rocm6.4"])
def test_pytorchs_own_builds(tmp_path, constraints, build):
    """What would run; PyTorch's index has not been tried."""
    said = commands(f"CUDA={build}", folder=tmp_path).stdout
    (line,) = [line for line in said.splitlines() if " torch==" in line]
    assert line.endswith(
        f" torch=={constraints['torch']}+{build} torchvision=={constraints['torchvision']}+{build}"
        f" --index-url https://download.pytorch.org/whl/{build}"
    )
    assert said.count("download.pytorch.org") == 1, "the other packages come from the usual index"


@pytest.mark.parametrize("cuda", [None, "/usr/local/cuda-12.6"])
def test_without_a_choice_torch_comes_from_the_usual_index(tmp_path, constraints, cuda):
    """A path in CUDA is a cluster's module, which says where CUDA lies."""
    said = commands(folder=tmp_path, **({"CUDA": cuda} if cuda else {})).stdout
    (line,) = [line for line in said.splitlines() if " torch==" in line]
    assert line.endswith(f" torch=={constraints['torch']}")
    assert "compile_mmcv.sh" not in said


def test_all_else_is_installed_by_its_hash(tmp_path):
    said = commands(folder=tmp_path).stdout
    installs = [line for line in said.splitlines() if " pip " in line and " install " in line]
    by_hash = [line for line in installs if "--require-hashes --no-deps" in line]
    assert [line.rpartition("/")[2] for line in by_hash] == [
        "requirements-build.lock",
        "requirements.lock",
    ]
    assert [line for line in installs if line not in by_hash and " torch==" not in line] == [
        installs[-1]
    ]
    assert installs[-1].endswith(f"-e {ROOT}")


def test_operators_are_compiled_where_asked_for(tmp_path):
    assert "scripts/compile_mmcv.sh" in commands("OPS=compiled", folder=tmp_path).stdout
    for setting in ("OPS=compile", "CUDA=12.6", "CUDA=126"):
        done = commands(setting, folder=tmp_path)
        assert done.returncode != 0
        assert f"setup: {setting}: expected " in done.stderr


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_another_python_is_refused(tmp_path, version):
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" != -c ] || exec {sys.executable} -c "import sys; '
        f'sys.version_info = ({version.replace(".", ", ")}, 0); $2"\n'
    )
    python.chmod(0o755)
    done = commands(f"PYTHON={python}", folder=tmp_path)
    assert done.returncode != 0
    assert f"no Python 3.11, 3.12 or 3.13 found (tried: {python})" in done.stderr
