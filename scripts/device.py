"""Says in one line which device the run will use, and prints Snakemake's options for it.

python scripts/device.py [PROFILE]    with a profile given, that one is taken
"""

import os
import shutil
import sys

import torch

LOCAL, GPU = "workflow/profiles/local", "workflow/profiles/gpu"


def count_gpus() -> int:
    """The GPUs that PyTorch can use."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def describe_device(gpus: int) -> str:
    """The device that training and prediction take, in words."""
    if gpus:
        return f"{gpus} GPU{'s' * (gpus > 1)}: {torch.cuda.get_device_name(0)}"
    return f"the CPU, {len(os.sched_getaffinity(0))} cores; no GPU is used"


def options(gpus: int, profile: str | None = None) -> str:
    """Snakemake's options: one training a GPU at a time, where GPUs can be told apart by number."""
    numbered = "CUDA_VISIBLE_DEVICES" in os.environ or shutil.which("nvidia-smi")
    if profile is None and gpus and numbered:
        return f"--profile {GPU} --resources gpu={gpus}"
    return f"--profile {profile or LOCAL}"


if __name__ == "__main__":
    found = count_gpus()
    print(f"Device: {describe_device(found)}.", file=sys.stderr)
    print(options(found, *sys.argv[1:]))
