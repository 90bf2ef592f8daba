"""What the doctor says of mmcv's operators."""

import mmcv.ops
import pytest
import torch

from r3cnn.ops import backend
from r3cnn.ops.finder import PTH, PTH_FILE
from r3cnn.runs import operators
from r3cnn.runs.finding import BROKEN, NOTE, OK


@pytest.fixture
def compiled(monkeypatch):
    """mmcv with operators compiled without CUDA."""
    monkeypatch.setattr(backend, "is_compiled", lambda: True)
    monkeypatch.setattr(mmcv.ops, "get_compiling_cuda_version", lambda: "not available")


def test_they_run_here():
    found = list(operators.operators())
    assert found[0].state == OK
    assert found[0].found.startswith(backend.back_end())


def test_their_failure_is_a_finding(monkeypatch):
    def unavailable(*_):
        raise RuntimeError("nms_impl: implementation for device cuda:0 not found.\nand more")

    monkeypatch.setattr("mmcv.ops.nms", unavailable)
    found = str(next(operators.operators()))
    assert found.startswith("BROKEN mmcv's operators: nms_impl: implementation for device cuda:0")
    assert "pip uninstall -y onedl-mmcv" in found
    assert "\n" not in found


@pytest.mark.parametrize(("gpu", "state"), [(False, NOTE), (True, BROKEN)])
def test_operators_for_the_cpu_beside_a_gpu_build(monkeypatch, compiled, gpu, state):
    """Found on a login node too, where no GPU is visible."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    (found,) = operators._built_for_the_cpu()
    assert found.state == state
    assert "CPU only" in found.found
    assert "OPS=compiled make setup" in found.remedy


@pytest.mark.parametrize(("cuda", "built"), [(None, "not available"), ("13.0", "13.0")])
def test_operators_that_belong_to_the_build(monkeypatch, compiled, cuda, built):
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(mmcv.ops, "get_compiling_cuda_version", lambda: built)
    assert list(operators._built_for_the_cpu()) == []


def test_the_file_that_python_reads_at_its_start(tmp_path, monkeypatch):
    folder = [str(tmp_path / "none"), str(tmp_path)]
    found = operators.start_file(folder)
    assert found.state == NOTE
    assert "r3cnn doctor --repair" in found.remedy
    (tmp_path / PTH_FILE).write_text("import old\n")
    assert operators.start_file(folder).state == NOTE
    monkeypatch.setattr(operators.sysconfig, "get_path", lambda _: str(tmp_path))
    assert operators.repair().read_text() == PTH
    assert operators.start_file(folder).state == OK
