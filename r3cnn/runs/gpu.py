"""The device that trains: GPUs, their driver, and whether torch's build is one for them."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .finding import BROKEN, NOTE, OK, Finding

if TYPE_CHECKING:
    import torch

LEAVE_OUT = (
    "see `nvidia-smi` on that node; leave the node out with `--exclude=NODE` and tell who runs it"
)
GIB = 2**30
DRIVER_FILE = Path("/proc/driver/nvidia/version")
# The oldest Linux driver for each major version of CUDA (NVIDIA's CUDA compatibility guide).
OLDEST_DRIVER = {11: "450.80", 12: "525.60", 13: "580.0"}
SEEN_BY_THE_DRIVER = (
    "a GPU is there and its driver is new enough: see what `nvidia-smi` says; a container needs `--gpus all` "
    "(Docker) or `--nv` (Apptainer)"
)


@dataclass(frozen=True)
class Build:
    """What `make setup CUDA=<name>` installs: its CUDA, and the compute capabilities that it has kernels for."""

    name: str
    cuda: int
    lowest: tuple[int, int]
    highest: tuple[int, int]


# The first that fits is advised.
BUILDS = (Build("cu130", 13, (7, 5), (12, 1)), Build("cu126", 12, (5, 0), (9, 0)))


def device() -> Iterator[Finding]:
    """The device that trains, whether torch sees the GPU that is there, and whether it can use it."""
    import torch

    if torch.cuda.is_available():
        if torch.version.cuda:
            yield Finding(OK, "driver", _driver_and_need(torch.version.cuda))
        yield from map(_card, range(torch.cuda.device_count()))
        return
    yield Finding(OK, "device", f"the CPU, {len(os.sched_getaffinity(0))} cores; no GPU is used")
    if DRIVER_FILE.is_file():
        yield _unseen()


def computes() -> Iterator[Finding]:
    """Whether there is a GPU, and each one gives a convolution's gradient as the CPU does."""
    import torch

    if not torch.cuda.is_available():
        yield Finding(BROKEN, "GPU", f"torch {torch.__version__} sees none", SEEN_BY_THE_DRIVER)
        return
    for number in range(torch.cuda.device_count()):
        yield _computed(number)


def _computed(number: int) -> Finding:
    import torch

    what = f"GPU {number} computes"
    try:
        found, expected = _gradient(f"cuda:{number}"), _gradient("cpu")
    except RuntimeError as error:
        return Finding(BROKEN, what, str(error).splitlines()[0], LEAVE_OUT)
    # TF32 has ten bits
    if torch.allclose(found, expected, rtol=1e-2, atol=1e-2 * float(expected.abs().max())):
        return Finding(OK, what, "a convolution and its gradient, as on the CPU")
    worst = float((found - expected).abs().max() / expected.abs().max())
    return Finding(BROKEN, what, f"a gradient that is off by {worst:.1g} of its largest", LEAVE_OUT)


def _gradient(device: str) -> "torch.Tensor":
    """Of a small convolution's weights, on the host."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 8, 16, 16, generator=generator).to(device)
    weight = torch.randn(8, 8, 3, 3, generator=generator).to(device).requires_grad_()
    torch.nn.functional.conv2d(x, weight).square().mean().backward()
    return weight.grad.cpu()


def supported(capability: tuple[int, int], architectures: Iterable[str]) -> bool:
    """Whether a build for these architectures (torch.cuda.get_arch_list) runs on a card.

    Machine code (sm_) runs on its own generation from its version on, PTX (compute_) on every later card.
    """
    for architecture in architectures:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", architecture)
        if found is None:
            continue
        own = int(found[2]), int(found[3])
        if capability == own or (found[1] == "compute" and capability >= own):
            return True
        if found[1] == "sm" and found[4] != "a" and capability[0] == own[0] and capability >= own:
            return True
    return False


def advice(driver: str | None, capability: tuple[int, int] | None) -> str:
    """The set-up, or else the driver, that makes a card run; None is unknown and fits."""
    fitting = [
        build
        for build in BUILDS
        if capability is None or build.lowest <= capability <= build.highest
    ]
    if not fitting:
        return "set-up has no build of torch for it: train on the CPU (make setup CUDA=cpu)"
    for build in fitting:
        if driver is None or _numbers(driver) >= _numbers(OLDEST_DRIVER[build.cuda]):
            return f"make setup CUDA={build.name}"
    oldest = OLDEST_DRIVER[fitting[-1].cuda]
    return f"install driver {oldest} or newer, then: make setup CUDA={fitting[-1].name}"


def installed_driver() -> str | None:
    """The version of NVIDIA's kernel driver; None where it is not loaded."""
    if not DRIVER_FILE.is_file():
        return None
    text = DRIVER_FILE.read_text(encoding="utf-8")
    found = re.search(r"Kernel Module\D*?(?:x86_64|aarch64)?\s+(\d+(?:\.\d+)+)", text)
    return found[1] if found else None


def capability_by_driver() -> tuple[int, int] | None:
    """The lowest compute capability of the cards, asked of the driver; None where it does not say."""
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        said = subprocess.run(
            command, capture_output=True, encoding="utf-8", check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.findall(r"^(\d+)\.(\d+)$", said.stdout, re.MULTILINE)
    return min(((int(major), int(minor)) for major, minor in found), default=None)


def _card(number: int) -> Finding:
    import torch

    try:
        memory = torch.cuda.get_device_properties(number).total_memory / GIB
        capability = torch.cuda.get_device_capability(number)
        name = torch.cuda.get_device_name(number)
    except RuntimeError as error:  # of a GPU that fell off its bus
        return Finding(BROKEN, f"GPU {number}", str(error).splitlines()[0], LEAVE_OUT)
    found = f"{name}, {memory:.0f} GiB, compute capability {capability[0]}.{capability[1]}"
    architectures = torch.cuda.get_arch_list()
    if torch.version.cuda is None or supported(capability, architectures):
        return Finding(OK, f"GPU {number}", found)
    found += f"; torch {torch.__version__} has kernels for {', '.join(architectures)} only"
    return Finding(BROKEN, f"GPU {number}", found, advice(installed_driver(), capability))


def _unseen() -> Finding:
    """Why torch sees none of the machine's GPUs."""
    import torch

    driver, capability = installed_driver(), capability_by_driver()
    if torch.version.cuda is None:
        found = f"the machine has one, but torch {torch.__version__} is a build without CUDA"
        return Finding(NOTE, "GPU", found, advice(driver, capability))
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        hidden = f"hidden by CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r}"
        return Finding(NOTE, "GPU", hidden)
    found = f"the machine has one, torch {torch.__version__} sees none; driver "
    found += _driver_and_need(torch.version.cuda)
    if driver and _numbers(driver) < _numbers(_oldest(torch.version.cuda)):
        return Finding(BROKEN, "GPU", found, advice(driver, capability))
    return Finding(BROKEN, "GPU", found, SEEN_BY_THE_DRIVER)


def _driver_and_need(cuda: str) -> str:
    return (
        f"{installed_driver() or 'of unknown version'}, CUDA {cuda} needs {_oldest(cuda)} or newer"
    )


def _oldest(cuda: str) -> str:
    """The oldest driver for a version of CUDA; that of the newest CUDA known here for a later one."""
    return OLDEST_DRIVER.get(int(cuda.split(".")[0]), max(OLDEST_DRIVER.values(), key=_numbers))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
