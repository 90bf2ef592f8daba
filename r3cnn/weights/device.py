"""The device at hand, and what a result says of it."""

import platform
from pathlib import Path

import torch

from ..core import provenance
from ..core.records import Provenance
from ..ops.backend import back_end


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


def record(part: str) -> Provenance:
    """What a result made here says of sources, versions and device; part: training, prediction or scoring."""
    return {**provenance.record(part, device_name()), "operators": back_end()}
