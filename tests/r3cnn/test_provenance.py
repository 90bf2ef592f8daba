"""The sources' hash follows the code and not its comments; the rest says where a result comes from."""

import re
import shutil
import subprocess
from datetime import datetime

import pytest

from r3cnn import provenance
from r3cnn.provenance import source_hash
from tests.r3cnn.tiny import ROOT

SOURCE = '''"""A module."""

LIMIT = 3  # a comment


def double(x):
    """Twice as much."""
    # another comment
    return 2 * x
'''


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "package"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.py").write_text(SOURCE)
    (folder / "inner" / "b.py").write_text("X = 1\n")
    return folder


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a comment", ""),
        ("# another comment", "# a quite different comment"),
        ("\n\n\ndef", "\ndef"),
        ("return 2 * x", "return (2 * x)"),
        ("2 * x", "2*x"),
        ('"""A module."""', "'''A module.'''"),
    ],
)
def test_comments_and_layout_do_not_count(package, old, new):
    before = source_hash(package)
    assert old in SOURCE
    (package / "a.py").write_text(SOURCE.replace(old, new))
    assert source_hash(package) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return 2 * x", "return 3 * x"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("double", "twice"),
        ("Twice as much.", "Two times."),  # docstrings count: a program can read them
    ],
)
def test_code_counts(package, old, new):
    before = source_hash(package)
    assert old in SOURCE
    (package / "a.py").write_text(SOURCE.replace(old, new))
    assert source_hash(package) != before


def test_files_their_names_and_places_count(package):
    before = source_hash(package)
    hashes = {before}
    (package / "c.py").write_text("")
    hashes.add(source_hash(package))
    (package / "c.py").rename(package / "d.py")
    hashes.add(source_hash(package))
    (package / "d.py").rename(package / "inner" / "d.py")
    hashes.add(source_hash(package))
    assert len(hashes) == 4
    (package / "inner" / "d.py").unlink()
    (package / "notes.txt").write_text("no source")
    assert source_hash(package) == before


def test_the_methods_own_sources(tmp_path):
    """A comment in a copy of r3cnn changes nothing, a number does."""
    copy = tmp_path / "r3cnn"
    shutil.copytree(ROOT / "r3cnn", copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert source_hash(copy) == source_hash()
    assert re.fullmatch("[0-9a-f]{64}", source_hash())
    file = copy / "models" / "roi_head.py"
    file.write_text(file.read_text() + "\n# seen\n")
    assert source_hash(copy) == source_hash()
    file.write_text(file.read_text() + "\nSEEN = 1\n")
    assert source_hash(copy) != source_hash()


# --------------------------------------------------------------------------------- the rest


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

    assert found["torch"] == torch.__version__
    assert set(provenance.PACKAGES) < set(found)
    assert "not installed" not in found.values()


def test_the_device_names_itself(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert re.fullmatch(r"CPU, .+, \d+ threads?", provenance.device_name())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    assert provenance.device_name() == "A GPU"


def test_the_host_is_the_node(monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "node7")
    assert provenance.host() == "node7"
    monkeypatch.delenv("SLURMD_NODENAME")
    assert provenance.host()


def test_the_time_is_utc():
    assert datetime.fromisoformat(provenance.now()).utcoffset().total_seconds() == 0


def test_a_record_holds_what_every_result_says():
    assert set(provenance.record()) == {"source_sha256", "git_commit", "versions", "device"}
