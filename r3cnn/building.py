"""The old name of `r3cnn.weights.building` and `r3cnn.weights.device`; it will be removed in version 0.3."""

import warnings

from .weights.building import build_detector
from .weights.device import choose_device

__all__ = ["build_detector", "choose_device"]

warnings.warn(
    "r3cnn.building is now r3cnn.weights.building; the old name will be removed in version 0.3",
    DeprecationWarning,
    stacklevel=2,
)
