"""The device of this machine, and how a result describes it."""

import platform
import re
from pathlib import Path

import torch

from ..core import provenance
from ..core.records import Provenance
from ..ops.backend import back_end

DRIVER = Path("/proc/driver/nvidia/version")


def choose_device() -> torch.device:
    """This process's GPU if there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def device_name() -> str:
    """The GPU's name, or the CPU's with the number of threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"CPU, {_cpu_model()}, {threads} thread{'s' * (threads > 1)}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpu_software() -> dict[str, str]:
    """Versions of what computes on the GPU: CUDA, cuDNN, NCCL and the driver; none without a GPU."""
    if not torch.cuda.is_available():
        return {}
    nccl = torch.cuda.nccl.version() if torch.distributed.is_nccl_available() else ()
    return {
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),
        "nccl": ".".join(map(str, nccl)),
        "driver": _driver(),
    }


def _driver() -> str:
    """The NVIDIA driver's version, as its kernel module tells it."""
    try:
        text = DRIVER.read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    found = re.search(r"Kernel Module\D*([\d.]+)", text)
    return found[1] if found else "unknown"


def tf32() -> dict[str, bool]:
    """Whether float32 products may be rounded to TF32, which an A100 does and a V100 cannot."""
    return {
        "matmul": torch.backends.cuda.matmul.allow_tf32,
        "cudnn": torch.backends.cudnn.allow_tf32,
    }


def record(part: str) -> Provenance:
    """What a result made here says of sources, versions and device; part: training, prediction or scoring."""
    return {
        **provenance.record(part, device_name()),
        "operators": back_end(),
        "gpu_software": gpu_software(),
        "tf32": tf32(),
    }
