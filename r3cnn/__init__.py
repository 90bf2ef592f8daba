"""The method of R3-CNN and its measuring. Imports nothing heavy, so that `--help` answers at once."""

from .ops.finder import install as _supply_operators
from .ops.yapf_cache import install as _wait_for_yapfs_cache

_supply_operators()
_wait_for_yapfs_cache()
