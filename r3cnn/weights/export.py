"""Export trained weights for other tools: without the optimiser, with their config and a model card."""

import logging
from pathlib import Path

from ..config.own_code import file_of
from ..core.errors import UserError
from ..core.files import sha256_of, write_atomically, write_if_changed
from ..core.records import TRAINING_FACTS
from . import checkpoint as checkpoints
from . import model_card
from .loading import load_detector
from .size import parameters
from .trained import classes_of, config_of, load_of

log = logging.getLogger(__name__)


def export(checkpoint: Path, out: Path, config: Path | None = None) -> None:
    """Write `out` (weights and the names of the classes), and next to it its config and its model card.

    mmdet's init_detector takes config and weights; code of the user's own is copied there, too. Raises
    UserError where they do not belong together, or the manifest is missing.
    """
    cfg = load_of(checkpoint, config)
    resolved = config_of(checkpoint, config)
    own = file_of(cfg)
    _require_free(out, {checkpoint, resolved}, own)
    load_detector(cfg, checkpoint)  # refuses weights of another network
    content = checkpoints.load(checkpoint)
    weights = content.get("state_dict", content)
    classes = classes_of(cfg)
    card = model_card.write(cfg, classes, checkpoint, out, parameters(cfg)["total"])
    facts = {key: cfg.r3cnn[key] for key in TRAINING_FACTS}
    meta = {"dataset_meta": {"classes": classes}, "r3cnn": facts}
    checkpoints.save(out, {"meta": meta, "state_dict": {k: v.clone() for k, v in weights.items()}})
    write_if_changed(out.with_suffix(".py"), resolved.read_bytes())
    if own:
        write_if_changed(out.with_name(own.name), own.read_bytes())
    write_atomically(out.with_suffix(".md"), card.replace(model_card.CHECKSUM, sha256_of(out)))
    before, after = (path.stat().st_size / 2**20 for path in (checkpoint, out))
    log.info(
        "%s: %.1f MiB (the checkpoint: %.1f); model card and config are next to it",
        out,
        after,
        before,
    )


def _require_free(out: Path, sources: set[Path], code: Path | None) -> None:
    """Raise UserError, before anything is written, where a file to be written would take the place of another."""
    files = {path.resolve() for path in (out, out.with_suffix(".py"), out.with_suffix(".md"))}
    if len(files) < 3 or files & {path.resolve() for path in sources}:
        raise UserError(
            f"--out {out}: expected a file such as model.pth, which is not one of the checkpoint's own files; "
            "the config and the model card are written next to it"
        )
    if code is None:
        return
    copy = out.with_name(code.name)
    if {copy.resolve(), code.resolve()} & files:
        raise UserError(
            f"--out {out}: the code {code.name} is written next to it and would take the name of one of "
            f"{', '.join(sorted(path.name for path in files))}; choose another name for --out"
        )
    if copy.exists() and sha256_of(copy) != sha256_of(code):
        raise UserError(
            f"{copy}: another file than {code}, which would overwrite it; move it away, or choose another "
            "folder for --out"
        )
