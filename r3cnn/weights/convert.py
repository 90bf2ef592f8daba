"""Convert a foreign checkpoint, once: reading one runs any code that it holds."""

import logging
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from ..core.errors import UserError
from ..core.files import sha256_of
from . import checkpoint, foreign

log = logging.getLogger(__name__)
TORCH_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")  # what torch's old format begins with
FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def convert(source: Path, out: Path, trust: bool, sha256: str | None) -> None:
    """Write the weights of `source`, a pickled checkpoint, as tensors and plain types only.

    Raises UserError unless the caller trusts it, and names the file by its checksum.
    """
    if not source.is_file():
        raise UserError(f"{source}: no such file, expected a checkpoint; check the path")
    digest = sha256_of(source)
    if not trust or sha256 is None:
        raise UserError(
            f"{source}: reading a pickled file runs the code in it, expected --trust and --sha256; "
            f"if its publisher states the checksum {digest}, repeat with --trust --sha256 {digest}"
        )
    if sha256.lower() != digest:
        raise UserError(
            f"{source}: sha256 {digest} found, expected {sha256}; this is not the file that you trust: "
            "fetch it again"
        )
    content = _unpickled(source)
    weights = {name: value.clone() for name, value in foreign.tensors_of(source, content).items()}
    classes = foreign.classes_in(content)
    meta = {"meta": {"dataset_meta": {"classes": classes}}} if classes else {}
    origin = {"converted_from": source.name, "sha256": digest}
    checkpoint.save(out, {"state_dict": weights, **meta, **origin})
    log.info("%s: %d tensors", out, len(weights))


def _unpickled(source: Path) -> Any:
    forced = os.environ.pop(FORCE, None)
    try:
        if _is_bare_pickle(source):
            with open(source, "rb") as file:
                return pickle.load(file, encoding="latin1")
        return torch.load(source, map_location="cpu", weights_only=False)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{source}: needs code that is not installed ({error}); convert it where it was made"
        ) from error
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{source}: truncated, corrupt or not a checkpoint ({reason}); fetch it again"
        ) from error
    finally:
        if forced is not None:
            os.environ[FORCE] = forced


def _is_bare_pickle(source: Path) -> bool:
    """Whether a file is a pickle that torch did not write, as Detectron2's model zoo has them."""
    with open(source, "rb") as file:
        start = file.read(32)
    return start[:1] == b"\x80" and TORCH_MAGIC not in start
