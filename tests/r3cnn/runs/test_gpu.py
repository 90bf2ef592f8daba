"""What the doctor says of a GPU, its driver and torch's build; torch is patched, no GPU is needed."""

import subprocess
from types import SimpleNamespace

import pytest
import torch

from r3cnn.runs import gpu
from r3cnn.runs.finding import BROKEN, NOTE, OK

CU130 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
CU126 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
DRIVER = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Thu Jun  5 2025\nGCC version:  gcc 12\n"
)
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (dvs-builder)\n"


class Machine:
    """A machine with a driver, cards by compute capability, and a build of torch."""

    def __init__(self, monkeypatch, folder):
        self.patch = monkeypatch
        self.file = folder / "version"
        monkeypatch.setattr(gpu, "DRIVER_FILE", self.file)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def has(self, cuda, driver=None, seen=(), built_for=CU130, asked="", text=DRIVER):
        """seen: what torch sees; asked: what nvidia-smi answers."""
        if driver:
            self.file.write_text(text.format(driver))
        build = f"2.13.0+{'cpu' if cuda is None else 'cu' + cuda.replace('.', '')}"
        self.patch.setattr(torch, "__version__", build)
        self.patch.setattr(torch.version, "cuda", cuda)
        for name, value in {
            "is_available": bool(seen),
            "device_count": len(seen),
            "get_arch_list": list(built_for) if seen else [],
        }.items():
            self.patch.setattr(torch.cuda, name, lambda value=value: value)
        for name, value in {
            "get_device_capability": lambda i: seen[i],
            "get_device_name": lambda i: "Tesla V100-SXM2-32GB" if seen[i] == (7, 0) else "A100",
            "get_device_properties": lambda i: SimpleNamespace(total_memory=32 * 2**30),
        }.items():
            self.patch.setattr(torch.cuda, name, value)

        def smi(*_, **__):
            if not asked:
                raise FileNotFoundError("nvidia-smi")
            return SimpleNamespace(stdout=asked)

        self.patch.setattr(subprocess, "run", smi)
        return list(gpu.device())


@pytest.fixture
def machine(monkeypatch, tmp_path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_a_v100_with_a_build_for_cuda_13(machine):
    driver, card = machine.has("13.0", "580.82.07", seen=[(7, 0)])
    assert driver.state == OK
    assert "580.82.07" in driver.found
    assert "580.0" in driver.found
    assert card.state == BROKEN
    assert "compute capability 7.0" in card.found
    assert "sm_75" in card.found
    assert card.remedy == "make setup CUDA=cu126"


def test_a_v100_with_a_build_for_cuda_12(machine):
    findings = machine.has("12.6", "535.183.01", seen=[(7, 0)], built_for=CU126)
    assert [finding.state for finding in findings] == [OK, OK]
    assert "535.183.01, CUDA 12.6 needs 525.60" in findings[0].found


def test_an_a100_is_fine(machine):
    findings = machine.has("13.0", "580.82.07", seen=[(8, 0), (8, 0)], text=OPEN)
    assert [str(finding)[:10] for finding in findings] == ["ok     dri", "ok     GPU", "ok     GPU"]
    assert "580.82.07" in findings[0].found


@pytest.mark.parametrize("asked", ["", "8.0\n", "7.0\n8.0\n"])
def test_an_old_driver(machine, asked):
    cpu, card = machine.has("13.0", "535.183.01", asked=asked)
    assert (cpu.state, card.state) == (OK, BROKEN)
    assert "driver 535.183.01, CUDA 13.0 needs 580.0" in card.found
    assert card.remedy == "make setup CUDA=cu126"


def test_an_old_driver_and_a_card_that_needs_a_newer_one(machine):
    _, card = machine.has("13.0", "570.10", asked="12.0\n")
    assert card.remedy == "install driver 580.0 or newer, then: make setup CUDA=cu130"


@pytest.mark.parametrize(("asked", "driver", "build"), [
    ("8.0\n", "580.82", "cu130"), ("7.0\n", "580.82", "cu126"), ("8.0\n", "535.1", "cu126"),
])  # fmt: skip
def test_a_gpu_and_a_build_for_the_cpu(machine, asked, driver, build):
    _, card = machine.has(None, driver, asked=asked)
    assert card.state == NOTE
    assert "2.13.0+cpu" in card.found
    assert card.remedy == f"make setup CUDA={build}"


def test_a_gpu_that_torch_does_not_see_for_another_reason(machine, monkeypatch):
    _, card = machine.has("13.0", "580.82.07")
    assert card.state == BROKEN
    assert "nvidia-smi" in card.remedy
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    _, card = machine.has("13.0", "580.82.07")
    assert (card.state, card.found) == (NOTE, "hidden by CUDA_VISIBLE_DEVICES=''")


def test_no_gpu(machine):
    for cuda in ("13.0", None):
        (found,) = machine.has(cuda)
        assert found.state == OK
        assert "no GPU is used" in found.found


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ((8, 9), ["sm_86"], True),  # machine code of the same generation
        ((8, 0), ["sm_86"], False),
        ((12, 0), ["sm_90"], False),
        ((12, 0), ["sm_90", "compute_90"], True),  # PTX, compiled by the driver
        ((7, 0), ["compute_75"], False),
        ((9, 0), ["sm_90a"], True),
        ((10, 3), ["sm_100a"], False),
        ((10, 3), ["sm_100f"], True),
        ((9, 0), ["gfx90a"], False),
    ],
)
def test_which_cards_a_build_runs_on(capability, architectures, runs):
    assert gpu.supported(capability, architectures) is runs


def test_every_advised_build_has_kernels_for_what_it_is_advised_for():
    for build, architectures in zip(gpu.BUILDS, (CU130, CU126), strict=True):
        for capability in (build.lowest, build.highest):
            assert gpu.supported(capability, architectures), build
    assert gpu.advice(None, (3, 5)).endswith("(make setup CUDA=cpu)")


# ------------------------------------------------------------------------- whether it computes


def test_a_node_without_a_gpu_cannot_train(machine):
    machine.has("13.0", "580.82.07")
    (found,) = gpu.computes()
    assert (found.state, found.what) == (BROKEN, "GPU")
    assert "sees none" in found.found


@pytest.mark.parametrize(
    ("on_gpu", "state", "words"),
    [
        (lambda right: right * (1 + 1e-3), OK, "as on the CPU"),
        (lambda right: right + right.abs().max(), BROKEN, "off by 1 of its largest"),
        (lambda right: right * float("nan"), BROKEN, "off by nan"),
    ],
)
def test_each_gpu_computes_as_the_cpu_does(machine, monkeypatch, on_gpu, state, words):
    machine.has("13.0", "580.82.07", seen=[(8, 0), (8, 0)])
    right = gpu._gradient("cpu")
    assert float(right.abs().max()) > 0
    monkeypatch.setattr(
        gpu, "_gradient", lambda device: right if device == "cpu" else on_gpu(right)
    )
    found = list(gpu.computes())
    assert [one.what for one in found] == ["GPU 0 computes", "GPU 1 computes"]
    for one in found:
        assert one.state == state
        assert words in one.found


def test_a_gpu_that_raises(machine, monkeypatch):
    machine.has("13.0", "580.82.07", seen=[(8, 0)])

    def gradient(device):
        raise RuntimeError("CUDA error: uncorrectable ECC error encountered\nCUDA kernel errors")

    monkeypatch.setattr(gpu, "_gradient", gradient)
    (found,) = gpu.computes()
    assert found.state == BROKEN
    assert found.found == "CUDA error: uncorrectable ECC error encountered"
    assert "--exclude=NODE" in found.remedy
