"""Seed the global generators that mmdet draws from."""

import random

import numpy as np
import torch

from ..core.seeding import key


def seed_libraries(*parts: object) -> None:
    """Seed Python's, numpy's and torch's (CPU) global generators, which mmdet draws from."""
    number = key(*parts)
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.default_generator.manual_seed(number)
