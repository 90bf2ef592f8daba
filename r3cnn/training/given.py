"""An external checkpoint instead of a training: checked, converted and recorded in the manifest."""

import re
import tempfile
from pathlib import Path

from mmengine.config import Config

from ..core import provenance
from ..core.errors import UserError
from ..core.files import sha256_of, write_atomically, write_json
from ..core.layout import TrainingFolder
from ..core.records import TRAINING_FACTS, Manifest
from ..data.download import Wanted, download, require_right
from ..weights import checkpoint, device, foreign
from ..weights.building import build_detector
from ..weights.convert import convert
from ..weights.older_names import with_present_names
from ..weights.trained import classes_of
from .iou_histogram import to_csv

DIGITS = r"[0-9a-fA-F]{8,64}"


def take(config: Path, cfg: Config, source: str, sha256: str, out: Path) -> None:
    """Write the results of a training that was done elsewhere: its weights, no histogram, no log, no validation.

    source: a file or an address; naming its sha256, or the first eight digits or more, is trusting it, for
    reading a pickle runs its code.
    Raises UserError where it is another file, or not of the config's network and classes, or not finite.
    """
    if not re.fullmatch(DIGITS, sha256):
        raise UserError(
            f"--sha256 {sha256}: expected the checksum's 64 hexadecimal digits, or the first eight or more of them"
        )
    start = provenance.now()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(source)
        if "://" in source:
            file = Path(folder) / "fetched.pth"
            download(Wanted(source, None, sha256), file)
        elif not file.is_file():
            raise UserError(f"{source}: no such file, expected a checkpoint; check the path")
        else:
            require_right(file, Wanted(source, None, sha256))
        plain = Path(folder) / "plain.pth"
        digest = sha256_of(file)
        convert(file, plain, trust=True, sha256=digest)
        content = checkpoint.load(plain)
    weights = foreign.without_statistics(source, content["state_dict"], cfg.model.data_preprocessor)
    weights = with_present_names(source, weights)
    foreign.require_finite(source, weights)
    foreign.require_classes(source, content, lambda: classes_of(cfg))
    _require_fit(cfg, weights, source)
    folder = TrainingFolder(out)
    write_atomically(folder.histogram, to_csv([]))
    for path in (folder.log, folder.validation):
        write_atomically(path, "")
    checkpoint.save(folder.checkpoint, {**content, "state_dict": weights, "converted_from": source})
    manifest: Manifest = {
        **{key: cfg.r3cnn[key] for key in TRAINING_FACTS},
        "config_sha256": sha256_of(config),
        **device.record("training"),
        "weights": {"source": source, "sha256": digest},
        "data": cfg.r3cnn.data,
        "iterations": 0,
        "attempts": [],
        "seconds": 0.0,
        "start": start,
        "end": provenance.now(),
    }
    write_json(folder.manifest, manifest)


def _require_fit(cfg: Config, weights: dict, source: str) -> None:
    """Every tensor of the network is there in its shape, and no other; counters of batches aside."""
    network = build_detector(cfg, "meta").state_dict()
    shapes = [
        {name: tuple(v.shape) for name, v in state.items() if not name.endswith("_tracked")}
        for state in (network, weights)
    ]
    differing = sorted(name for name, _ in shapes[0].items() ^ shapes[1].items())
    if differing:
        name = differing[0]
        expected, found = (shape.get(name, "no such tensor") for shape in shapes)
        raise UserError(
            f"{source}: {name}: found {found}, expected {expected} ({len(set(differing))} tensors differ); "
            "the checkpoint is of another network or other classes: correct the model in the catalogue"
        )
