"""The method of R3-CNN and its measuring. Imports nothing heavy, so that `--help` answers at once."""

from .ops.finder import install as _supply_operators

_supply_operators()
