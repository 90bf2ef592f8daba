"""Take the tensors out of a foreign checkpoint, once; reading one runs whatever code it holds."""

import logging
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UserError
from ..core.files import sha256_of
from . import checkpoint

log = logging.getLogger(__name__)
FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
PLACES = ("state_dict", "model")  # where mmengine and others keep the weights


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
    weights = _weights(source, _unpickled(source))
    checkpoint.save(out, {"state_dict": weights, "converted_from": source.name, "sha256": digest})
    log.info("%s: %d tensors", out, len(weights))


def _unpickled(source: Path) -> Any:
    forced = os.environ.pop(FORCE, None)
    try:
        return torch.load(source, map_location="cpu", weights_only=False)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{source}: needs code that is not installed ({error}); convert it where it was made"
        ) from error
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{source}: truncated, corrupt or no checkpoint ({reason}); fetch it again"
        ) from error
    finally:
        if forced is not None:
            os.environ[FORCE] = forced


def _weights(source: Path, content: Any) -> dict[str, Tensor]:
    """The named tensors of a checkpoint's content, on their own storage."""
    for place in PLACES:
        if isinstance(content, Mapping) and isinstance(content.get(place), Mapping):
            content = content[place]
    tensors = content.items() if isinstance(content, Mapping) else ()
    found = {name: value.clone() for name, value in tensors if isinstance(value, Tensor)}
    if not found:
        raise UserError(
            f"{source}: no tensors by name found, expected a state dict or a checkpoint that holds one "
            f"under {' or '.join(PLACES)}; export its state dict first"
        )
    return found
