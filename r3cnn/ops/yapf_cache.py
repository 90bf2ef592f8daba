"""Reads yapf's cache of its grammar while another process is writing it.

mmengine imports yapf, which keeps a pickled grammar in the user's cache folder. yapf 0.43 renames the new file
before it is whole, so of several processes that start in a new environment one may read a part of it (google/yapf
issue 1204).
"""

import functools
import os
import pickle
import time
from typing import Any

from ..core.errors import UserError

SECONDS = 5.0  # until the file is taken to be cut off for good
PAUSE = 0.05


def install() -> None:
    """Make yapf wait for the rest of the file. Without effect where yapf is not installed, or another one."""
    try:
        from yapf_third_party._ylib2to3.pgen2.grammar import Grammar
    except ImportError:
        return
    if not hasattr(Grammar.load, "__wrapped__"):
        Grammar.load = _patient(Grammar.load)


def _patient(load: Any) -> Any:
    """`load`, tried again until the file is whole; one that stays cut off is removed. Raises UserError for it."""

    @functools.wraps(load)
    def loaded(grammar: Any, filename: str) -> None:
        end = time.monotonic() + SECONDS
        while True:
            try:
                load(grammar, filename)
            except (EOFError, pickle.UnpicklingError):
                if time.monotonic() > end:
                    break
                time.sleep(PAUSE)
            else:
                return
        os.remove(filename)
        raise UserError(
            f"{filename}: yapf's cache is cut off, perhaps by a full disk; it has been removed, run this again"
        )

    return loaded
