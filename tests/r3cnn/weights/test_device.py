"""A result says which software computed it on a GPU."""

import torch

from r3cnn.weights import device


def test_without_a_gpu_there_is_no_gpu_software():
    found = device.record("prediction")
    assert found["gpu_software"] == {}
    assert set(found["tf32"]) == {"matmul", "cudnn"}


def test_the_versions_of_a_gpus_software_and_what_it_may_round(tmp_path, monkeypatch):
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n"
        "GCC version:  gcc version 12.2.0\n"
    )
    monkeypatch.setattr(device, "DRIVER", tmp_path / "version")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 90100)
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    monkeypatch.setattr(torch.cuda.nccl, "version", lambda: (2, 21, 5))
    assert device.gpu_software() == {
        "cuda": "12.6",
        "cudnn": "90100",
        "nccl": "2.21.5",
        "driver": "535.129.03",
    }
    monkeypatch.setattr(device, "DRIVER", tmp_path / "none")
    assert device.gpu_software()["driver"] == "unknown"


def test_tf32_is_told_as_it_is_set(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert device.tf32()["cudnn"] is False
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert device.tf32()["cudnn"] is True
