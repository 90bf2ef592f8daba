"""Says in one line which device the run will use."""

import os

import torch


def describe_device() -> str:
    """The device that training and prediction take, in words."""
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        return f"{count} GPU{'s' * (count > 1)}: {torch.cuda.get_device_name(0)}"
    return f"the CPU, {len(os.sched_getaffinity(0))} cores; no GPU is used"


if __name__ == "__main__":
    print(f"Device: {describe_device()}.")
