"""Trained weights to be taken elsewhere: without the optimiser, with their config and a model card."""

import logging
import shutil
from pathlib import Path

from ..config.own_code import file_of
from ..core.errors import UserError
from ..core.files import replacing, sha256_of, write_atomically
from ..core.records import TRAINING_FACTS
from . import checkpoint as checkpoints
from . import model_card
from .loading import load_detector
from .size import parameters
from .trained import classes_of, config_of, load_of

log = logging.getLogger(__name__)


def export(checkpoint: Path, out: Path, config: Path | None = None) -> None:
    """Write `out` (weights and the names of the classes), and beside it its config and its model card.

    mmdet's init_detector takes config and weights; code of the user's own is copied there, too. Raises
    UserError where they do not belong together, or the manifest is missing.
    """
    cfg = load_of(checkpoint, config)
    resolved = config_of(checkpoint, config)
    files = {out, out.with_suffix(".py"), out.with_suffix(".md")}
    if len(files) < 3 or {checkpoint.resolve(), resolved.resolve()} & {f.resolve() for f in files}:
        raise UserError(
            f"--out {out}: expected a file such as model.pth, which is not the checkpoint's own; the config "
            "and the model card are written beside it"
        )
    load_detector(cfg, checkpoint)  # refuses weights of another network
    content = checkpoints.load(checkpoint)
    weights = content.get("state_dict", content)
    classes = classes_of(cfg)
    card = model_card.write(cfg, classes, checkpoint, out, parameters(cfg)["total"])
    facts = {key: cfg.r3cnn[key] for key in TRAINING_FACTS}
    meta = {"dataset_meta": {"classes": classes}, "r3cnn": facts}
    checkpoints.save(out, {"meta": meta, "state_dict": {k: v.clone() for k, v in weights.items()}})
    with replacing(out.with_suffix(".py")) as temporary:
        shutil.copyfile(resolved, temporary)
    if own := file_of(cfg):
        shutil.copyfile(own, out.with_name(own.name))
    write_atomically(out.with_suffix(".md"), card.replace(model_card.CHECKSUM, sha256_of(out)))
    before, after = (path.stat().st_size / 2**20 for path in (checkpoint, out))
    log.info(
        "%s: %.1f MiB (the checkpoint: %.1f); model card and config beside it", out, after, before
    )
