"""scripts/bench_gpu.sh: the wheel's pieces become the wheel again. Its other parts need a GPU's machine."""

import hashlib
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "bench_gpu.sh"
NAME = "onedl_mmcv-2.3.6-cp312-cp312-linux_x86_64.whl"


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = ["bash", SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def pieces(tmp_path) -> Path:
    """Eleven pieces, so that their order matters."""
    folder = tmp_path / "out"
    folder.mkdir()
    parts = [bytes([i]) * 100 for i in range(11)]
    for i, part in enumerate(parts):
        (folder / f"{NAME}.part{i:02}").write_bytes(part)
    digest = hashlib.sha256(b"".join(parts)).hexdigest()
    (folder / "mmcv.sha256").write_text(f"{digest}  ./{NAME}\n")
    return folder


def test_pieces_become_the_wheel(pieces, tmp_path):
    done = run("join", pieces, tmp_path)
    assert done.returncode == 0, done.stderr
    content = (tmp_path / NAME).read_bytes()
    assert content == b"".join(bytes([i]) * 100 for i in range(11))


def test_a_missing_piece_is_noticed(pieces, tmp_path):
    (pieces / f"{NAME}.part05").unlink()
    done = run("join", pieces, tmp_path)
    assert done.returncode == 1
    assert "a piece is missing or broken" in done.stderr
    assert not (tmp_path / NAME).exists()


def test_no_pieces(tmp_path):
    assert "no pieces of a wheel" in run("join", tmp_path, tmp_path).stderr


def test_every_package_it_fetches_has_a_version():
    text = SCRIPT.read_text()
    names = text[text.index("NAMES=(") + 7 : text.index(")", text.index("NAMES=("))].split()
    pins = (SCRIPT.parent.parent / "constraints.txt").read_text()
    assert len(names) > 20
    assert [name for name in names if f"\n{name}==" not in pins] == []


def test_without_a_command_it_says_how():
    done = run()
    assert done.returncode == 2
    assert "bash scripts/bench_gpu.sh fetch BUNDLE" in done.stderr
