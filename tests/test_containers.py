"""The images' recipes, which cannot be built where the tests run, and how jobs get into them."""

import re
from pathlib import Path

import pytest
import yte

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "containers"


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_both_images_are_made_by_one_script():
    docker, apptainer = text("Dockerfile"), text("r3cnn.def")
    bases = re.findall(r"^(?:FROM|From:) (\S+)$", docker + apptainer, re.MULTILINE)
    assert bases == ["python:3.12-slim"] * 2
    for recipe in (docker, apptainer):
        assert "sh /opt/r3cnn/containers/install.sh" in recipe
        assert re.search(r"PATH=/opt/venv/bin:\$PATH", recipe)
        assert "pip install" not in recipe
        assert "apt-get" not in recipe


def test_the_images_hold_what_set_up_installs_and_no_compiler():
    script = text("install.sh")
    assert "/scripts/setup_venv.sh /opt/venv" in script
    (packages,) = re.findall(r"apt-get install -y --no-install-recommends (.*)", script)
    assert packages.split() == ["git"]
    assert "OPS=" not in script


def profile(**settings: object) -> dict:
    """slurm/config.yaml with some of its first lines filled in."""
    lines = (ROOT / "slurm" / "config.yaml").read_text(encoding="utf-8")
    for key, value in settings.items():
        lines, count = re.subn(rf"^  {key}: \S+", f"  {key}: {value}", lines, flags=re.MULTILINE)
        assert count == 1, key
    return yte.process_yaml(lines)["set-resources"]


@pytest.mark.parametrize("container", ["", "/images/r3cnn.sif"])
def test_gpu_jobs_run_in_the_container_of_the_slurm_profile(container):
    resources = profile(container=f'"{container}"')
    for rule, start in {"train": "2 4 4 4", "predict": "1 1 4 1", "measure": "1 1 4 1"}.items():
        words = ["bash", "on_slurm.sh", *start.split()]
        words += ["apptainer", "exec", "--nv", container] if container else []
        assert resources[rule]["launch"] == repr(" ".join(words)), rule
    assert "apptainer" not in resources["score"]["launch"]
