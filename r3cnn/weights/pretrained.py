"""The initial weights of backbone, neck and RPN of a small scale; RoI heads are always from scratch."""

import logging
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from torch import Tensor, nn

from ..core.errors import UserError
from ..core.files import sha256_of
from . import checkpoint

log = logging.getLogger(__name__)
PARTS = ("backbone.", "neck.", "rpn_head.")


def require_pretrained(cfg: Config, detector: nn.Module) -> None:
    """Check the weights that the config's scale names, if it names some, and log what they leave to be drawn.

    They are loaded by the parts' own `init_cfg`. Raises UserError for another file than was resolved, and for
    weights of another network.
    """
    facts = cfg.r3cnn.get("pretrained")
    if not facts:
        return
    require_right(Path(facts.file), facts.sha256)
    weights = checkpoint.load(Path(facts.file))
    own = detector.state_dict()
    _require_fit(facts.file, weights, own)
    fresh = sorted(name for name in own.keys() - weights.keys() if not name.endswith("_tracked"))
    added = [name for name in fresh if name.startswith(PARTS)]
    log.info(
        "%s: %d tensors of backbone, neck and RPN; from scratch: %d of the RoI head%s",
        facts.file, len(weights), len(fresh) - len(added),
        f", {len(added)} of the extensions (such as {added[0]})" if added else "",
    )  # fmt: skip


def require_right(file: Path, sha256: str) -> None:
    """Raise UserError where a file is missing or not the one with this checksum."""
    if not file.is_file():
        raise UserError(
            f"{file}: no such file, expected the weights that the scale names; make them again with "
            "`python -m r3cnn pretrain`, or get the project's own file back"
        )
    if (found := sha256_of(file)) != sha256:
        raise UserError(
            f"{file}: sha256 {found}, expected {sha256}, as the scale's `pretrained` says; get that file back, "
            "or name the new checksum there and resolve again"
        )


def _require_fit(file: str, weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    strange = [
        name
        for name, value in weights.items()
        if not name.startswith(PARTS) or name not in own or own[name].shape != value.shape
    ]
    if strange or not weights:
        raise UserError(
            f"{file}: {(strange or ['no tensor'])[0]} does not fit the network of the config; expected weights "
            "made for the same `network`: make some with `python -m r3cnn pretrain --scale SCALE`"
        )
