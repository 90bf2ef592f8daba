"""Weights that depend on a tensor's name alone, so that two programs can fill the same network.

A tensor's generator is seeded by the CRC-32 of its name as the authors' code names it. The reference
numbers were made with these weights; each file carries every tensor's name, sum and CRC-32.
"""

import re
import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

# gains that keep activations and scores in a range where differences show
GAINS = {
    r"(^|\.)backbone\.layer\d+\.\d+\.conv[12]\.weight$": 1.4,
    r"(^|\.)backbone\.conv1\.weight$": 1.4,
    r"\.conv_offset\.weight$": 0.5,
    r"(^|\.)neck\.lateral_convs\.\d+\.conv\.weight$": 0.08,
    r"\.fc_cls\.weight$": 4.0,
    r"\.fc_reg\.weight$": 0.7,
    r"\.conv_res\.conv\.weight$": 2.0,
    r"\.conv_logits\.weight$": 8.0,
    r"\.fc_mask_iou\.weight$": 4.0,
    r"(^|\.)rpn_head\.rpn_reg\.weight$": 0.3,
    r"\.upsample\.weight$": 2.0,
}


def reference_name(name: str, renames: Mapping[str, str]) -> str:
    """The authors' name of one of our tensors: the longest prefix found in `renames` is replaced."""
    fitting = [prefix for prefix in renames if name == prefix or name.startswith(prefix + ".")]
    if not fitting:
        return name
    prefix = max(fitting, key=len)
    return renames[prefix] + name[len(prefix) :]


def drawn(name: str, tensor: Tensor) -> np.ndarray | None:
    """The values of a tensor of this (reference) name and shape; None for one that is not drawn."""
    if not tensor.is_floating_point():
        return None
    generator = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    z = generator.standard_normal(tuple(tensor.shape))
    last = name.rpartition(".")[2]
    if last == "running_mean":
        return 0.1 * z
    if last == "running_var":
        return 1 + 0.1 * np.abs(z)
    if last == "gamma":
        return 0.5 + 0.1 * z
    if last.endswith("bias"):
        return 0.05 * z
    if last == "weight" and tensor.ndim in (1, 3):
        return 1 + 0.1 * z
    if tensor.ndim < 2:
        return 0.1 * z
    gain = next((g for pattern, g in GAINS.items() if re.search(pattern, name)), 1.0)
    return gain * z / np.sqrt(np.prod(tensor.shape[1:]))


@torch.no_grad()
def fill(detector: nn.Module, renames: Mapping[str, str]) -> None:
    """Fill all weights and buffers in place."""
    for name, tensor in detector.state_dict().items():
        values = drawn(reference_name(name, renames), tensor)
        if values is not None:
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(values)).to(tensor.dtype))
        elif name.endswith("num_batches_tracked"):
            tensor.zero_()


def checksums(detector: nn.Module, renames: Mapping[str, str]) -> dict[str, tuple[float, int]]:
    """Sum and CRC-32 of every tensor by its reference name."""
    found = {}
    for name, tensor in detector.state_dict().items():
        values = tensor.detach().cpu().numpy()
        summed = float(values.astype(np.float64).sum())
        found[reference_name(name, renames)] = (summed, zlib.crc32(values.tobytes()))
    return found
