"""Machines with GPUs and no Slurm: jobs share the GPUs and never collide on one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workflow.trees import ROOT

SCRIPT = ["bash", str(ROOT / "workflow" / "scripts" / "on_gpu.sh")]
PROFILE = ("--profile", "workflow/profiles/gpu")
USE = """\
import fcntl, os, sys, time
gpu = os.environ["CUDA_VISIBLE_DEVICES"]
os.open(f"{sys.argv[1]}/in-use-{gpu}", os.O_CREAT | os.O_EXCL)  # fails where another is at work
time.sleep(float(sys.argv[2]))
os.remove(f"{sys.argv[1]}/in-use-{gpu}")
print(gpu)
"""


def start(folder: Path, gpus: str | None, *command: str) -> subprocess.Popen:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    if gpus is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpus
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*SCRIPT, *command], env=environment, text=True, **pipes)


def using(folder: Path, gpus: str, seconds: float) -> subprocess.Popen:
    return start(folder, gpus, sys.executable, "-c", USE, str(folder), str(seconds))


def test_no_two_jobs_have_one_gpu(tmp_path):
    jobs = [using(tmp_path, "0,3", 0.3) for _ in range(5)]
    ends = [job.communicate(timeout=30) for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 5, ends
    assert {out.strip() for out, _ in ends} == {"0", "3"}


def test_a_killed_job_gives_its_gpu_back(tmp_path):
    first = using(tmp_path, "1", 60)
    in_use = tmp_path / "in-use-1"
    end = time.monotonic() + 20
    while not in_use.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    second = using(tmp_path, "1", 0)
    time.sleep(0.5)
    assert second.poll() is None
    in_use.unlink()
    first.send_signal(signal.SIGKILL)
    out, error = second.communicate(timeout=20)
    assert out == "1\n"
    assert error.startswith("waiting for a GPU: ")  # r3cnn status reads it
    assert error.count("\n") == 1
    first.communicate()


def test_the_exit_code_is_the_commands(tmp_path):
    job = start(tmp_path, "0", "sh", "-c", "exit 85")
    job.communicate(timeout=20)
    assert job.returncode == 85


def lock_folder(tmp_path: Path) -> Path:
    return tmp_path / f"r3cnn-gpus-{os.getuid()}"


@pytest.mark.parametrize("fault", ["link at the lock", "link at the folder", "a file", "no lock"])
def test_what_a_name_in_a_folder_of_everybodys_leads_to_is_left_alone(tmp_path, fault):
    precious, folder = tmp_path / "precious", lock_folder(tmp_path)
    precious.write_text("precious")
    if fault == "link at the lock":
        folder.mkdir()
        (folder / "0").symlink_to(precious)
    elif fault == "link at the folder":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    elif fault == "a file":
        folder.write_text("a file")
    else:
        (folder / "0").mkdir(parents=True)
    _, error = start(tmp_path, "0", "true").communicate(timeout=20)
    assert error.splitlines()[-1].startswith(f"error: {folder}"), error
    assert precious.read_text() == "precious"
    assert not list(tmp_path.glob("elsewhere/*"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_user_is_refused(tmp_path):
    folder = lock_folder(tmp_path)
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    job = start(tmp_path, "0", "true")
    _, error = job.communicate(timeout=20)
    assert job.returncode == 1
    assert error.startswith(f"error: {folder}: found a link or another user's")


def test_a_lock_keeps_what_is_in_it_and_a_device_may_have_slashes(tmp_path):
    folder = lock_folder(tmp_path)
    folder.mkdir()
    (folder / "MIG-1_2_0").write_text("kept")
    job = start(tmp_path, "MIG-1/2/0", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
    assert job.communicate(timeout=20)[0] == "MIG-1/2/0\n"
    assert (folder / "MIG-1_2_0").read_text() == "kept"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("gpus", ["", None])
def test_a_machine_without_gpus_gets_one_line(tmp_path, gpus, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if gpus is None and Path("/usr/bin/nvidia-smi").exists():
        pytest.skip("this machine has GPUs")
    _, error = start(tmp_path, gpus, "true").communicate(timeout=20)
    assert error.startswith(
        "error: no GPU found by nvidia-smi or in CUDA_VISIBLE_DEVICES; use --pro"
    )
    assert error.count("\n") == 1


def test_the_profile_takes_a_gpu_for_what_needs_one(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (fresh.root / "own.yaml").write_text(
        "extends: nothing\ntrainings:\n  one: {model: htc}\n  two: {model: mask_rcnn}\n"
    )
    config = ("--cores", "4", "--config", "catalogue=own.yaml")
    fresh.snakemake(*PROFILE, "--resources", "gpu=2", *config)
    calls = [json.loads(line) for line in (fresh.root / "calls.jsonl").read_text().splitlines()]
    gpus = {call["command"]: call["gpu"] for call in calls}
    for command in ("train", "predict", "measure"):
        assert gpus[command] in ("0", "1"), command
    assert gpus["score"] == "0,1"
    # What was made with GPUs is there for a run without them, too.
    assert fresh.plan("--profile", "workflow/profiles/local", *config).nothing
