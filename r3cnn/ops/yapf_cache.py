"""Reads yapf's cache of its grammar while another process is writing it.

mmengine imports yapf, which keeps a pickled grammar in the user's cache folder. yapf 0.43 renames the new file
before it is whole, so of several processes that start in a new environment one may read a part of it (google/yapf
issue 1204).
"""

import contextlib
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
        from yapf_third_party._ylib2to3.pgen2.grammar import Grammar  # type: ignore[import-untyped]
    except ImportError:
        return
    if not hasattr(Grammar.load, "__wrapped__"):
        Grammar.load = _patient(Grammar.load)


def _patient(load: Any) -> Any:
    """`load`, tried again until the file is whole; one that stays cut off is removed. Raises UserError for it."""

    @functools.wraps(load)
    def loaded(grammar: Any, filename: str) -> None:
        end, cut_off = time.monotonic() + SECONDS, False
        while time.monotonic() < end:
            try:
                load(grammar, filename)
                return
            except (EOFError, pickle.UnpicklingError):
                cut_off = True
                time.sleep(PAUSE)
            except FileNotFoundError:
                if not cut_off:
                    raise
                break  # another process has removed it
        with contextlib.suppress(OSError):
            os.remove(filename)
        raise UserError(
            f"{filename}: yapf's cache is cut off, perhaps by a full disk; remove it if it is still "
            "there, and run this again"
        )

    return loaded
