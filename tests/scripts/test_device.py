"""`make reproduce` takes the GPUs of the machine where there are some, and says in one line what it takes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TORCH = """\
class cuda:
    is_available = staticmethod(lambda: {count} > 0)
    device_count = staticmethod(lambda: {count})
    get_device_name = staticmethod(lambda number: "NVIDIA H100")
"""
QUICK = "--config scale=quick"
RECORD = '#!/bin/sh\necho "$@" >> snakemake.calls\n'


class Machine:
    """A checkout whose set-up is done, with so many GPUs, in which Snakemake is only written down."""

    def __init__(self, folder: Path, gpus: int, nvidia_smi: bool) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        for name in (
            "Makefile",
            "constraints.txt",
            "requirements.lock",
            "pyproject.toml",
            "setup.py",
        ):
            shutil.copy2(ROOT / name, folder / name)
        (folder / "fake").mkdir()
        (folder / "fake" / "torch.py").write_text(TORCH.format(count=gpus))
        self.program(".venv/bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        self.program(".venv/bin/snakemake", RECORD)
        self.program("bin/nvidia-smi" if nvidia_smi else "bin/other", "#!/bin/sh\n")
        (folder / ".venv" / ".ready").touch()

    def program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def make(self, *words: str, **environment: str) -> tuple[str, str]:
        """What make says, and what Snakemake is called with."""
        # what `make test ARGS=...` hands on is not this call's
        handed_on = (
            "CUDA_VISIBLE_DEVICES",
            "ARGS",
            "PROFILE",
            "SCALE",
            "MFLAGS",
            "MAKEFLAGS",
            "MAKELEVEL",
        )
        env = {key: value for key, value in os.environ.items() if key not in handed_on}
        env |= {"PYTHONPATH": f"{self.folder / 'fake'}{os.pathsep}{ROOT}", **environment}
        env["PATH"] = f"{self.folder / 'bin'}:/usr/bin:/bin"
        done = subprocess.run(
            ["make", *words], cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr, (self.folder / "snakemake.calls").read_text().strip()


@pytest.mark.parametrize(("gpus", "words"), [(1, "1 GPU"), (4, "4 GPUs")])
def test_gpus_are_used(tmp_path, gpus, words):
    said, called = Machine(tmp_path, gpus, nvidia_smi=True).make("reproduce")
    assert f"Device: {words}: NVIDIA H100." in said.splitlines()
    assert called == f"--profile workflow/profiles/gpu --resources gpu={gpus} {QUICK}"


def test_without_one_it_says_so_in_one_line(tmp_path):
    said, called = Machine(tmp_path, 0, nvidia_smi=True).make("reproduce")
    assert said.count("GPU") == 1
    cores = len(os.sched_getaffinity(0))
    assert f"Device: the CPU, {cores} cores; no GPU is used." in said.splitlines()
    assert called == f"--profile workflow/profiles/local {QUICK}"


def test_a_gpu_that_has_no_number_is_shared(tmp_path):
    """Without nvidia-smi jobs cannot be given a GPU each; PyTorch still takes the one it sees."""
    machine = Machine(tmp_path, 1, nvidia_smi=False)
    if shutil.which("nvidia-smi", path="/usr/bin:/bin"):
        pytest.skip("this machine has nvidia-smi where every program looks")
    assert machine.make("reproduce")[1] == f"--profile workflow/profiles/local {QUICK}"
    (machine.folder / "snakemake.calls").unlink()
    called = machine.make("reproduce", CUDA_VISIBLE_DEVICES="0")[1]
    assert called == f"--profile workflow/profiles/gpu --resources gpu=1 {QUICK}"


def test_the_user_s_own_choice_and_arguments_go_first(tmp_path):
    _, called = Machine(tmp_path, 2, nvidia_smi=True).make(
        "reproduce", "PROFILE=slurm", "ARGS=--config scale=mini"
    )
    assert called == "--profile slurm --config scale=mini"


def test_going_on_takes_the_same_device(tmp_path):
    _, called = Machine(tmp_path, 2, nvidia_smi=True).make("continue")
    assert called.splitlines() == [
        f"--profile workflow/profiles/local {QUICK} --unlock",
        f"--profile workflow/profiles/gpu --resources gpu=2 {QUICK}",
    ]


@pytest.mark.parametrize(
    ("words", "called", "report"),
    [
        (["smoke"], "--config scale=smoke", "smoke"),
        (["reproduce", "SCALE=mini"], "--config scale=mini", "mini"),
        (["reproduce", "ARGS=-n --config scale=mini"], "-n --config scale=mini", "mini"),
        (["reproduce", "ARGS=--config seeds=1 -n"], "--config scale=quick seeds=1 -n", "quick"),
    ],
)
def test_the_scale_reaches_snakemake_and_the_line_of_the_report(tmp_path, words, called, report):
    machine = Machine(tmp_path, 0, nvidia_smi=True)
    page = tmp_path / "results" / report / "report" / "index.html"
    page.parent.mkdir(parents=True)
    page.touch()
    said, made = machine.make(*words)
    assert made == f"--profile workflow/profiles/local {called}"
    dry = "-n" in called.split()
    assert (f"The report: {page.as_uri()}" in said.splitlines()) == (not dry)
    assert ("Dry run" in said) == dry
