"""Where a result comes from: commit, versions, device, host."""

import re
import subprocess
from datetime import datetime

from r3cnn.core import provenance
from r3cnn.weights import device


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_named_and_what_is_not_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_commit() is None
    git(tmp_path, "init", "-q")
    assert provenance.git_commit() is None
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert provenance.git_commit() == commit
    (tmp_path / "a").write_text("2")
    assert provenance.git_commit() == f"{commit}-dirty"


def test_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit() is None


def test_versions_are_those_installed():
    found = provenance.package_versions()
    import torch

    # the metadata of a CUDA build may leave the build out: 2.13.0 for 2.13.0+cu130
    assert torch.__version__.partition("+")[0] == found["torch"].partition("+")[0]
    assert set(provenance.PACKAGES) < set(found)
    assert "not installed" not in found.values()


def test_the_device_names_itself(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert re.fullmatch(r"CPU, .+, \d+ threads?", device.device_name())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    assert device.device_name() == "A GPU"


def test_the_host_is_the_node(monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "node7")
    assert provenance.host() == "node7"
    monkeypatch.delenv("SLURMD_NODENAME")
    assert provenance.host()


def test_the_time_is_utc():
    assert datetime.fromisoformat(provenance.now()).utcoffset().total_seconds() == 0


def test_a_record_holds_what_every_result_says():
    expected = {"source_sha256", "source_scheme", "git_commit", "versions", "device", "operators"}
    expected |= {"gpu_software", "tf32"}
    assert set(device.record("training")) == expected
