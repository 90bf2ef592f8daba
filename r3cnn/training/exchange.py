"""What a step sends to the host and the other processes, in one transfer from the device."""

from collections.abc import Sequence

import torch
from torch import Tensor


def exchange(values: Sequence[Tensor], asked: Sequence[bool]) -> list[list[float]]:
    """The values (0-d each) and answers of every process, (world, values + asked); the host waits once.

    All processes get the same numbers, so that all decide the same.
    """
    device = values[0].device
    # filled on the device: a copy from the host's memory would wait as well
    flags = [torch.full((), float(answer), device=device) for answer in asked]
    row = torch.stack([*(value.detach().float() for value in values), *flags])
    if torch.distributed.is_initialized():
        rows = row.new_empty(torch.distributed.get_world_size() * len(row))
        torch.distributed.all_gather_into_tensor(rows, row)
        return rows.view(-1, len(row)).tolist()
    return [row.tolist()]
