"""mmdet's model zoo, by the metafiles in the installed package; nothing of mmdet is imported."""

import difflib
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import UserError
from ..core.files import read_text

CONFIGS = Path(".mim", "configs")  # below the package
NAME = re.compile(r"^ *- *Name: *(\S+) *$", re.MULTILINE)
# The end of a checkpoint's file name: the first digits of its SHA-256, as mmdet's publish_model.py writes them.
DIGITS = re.compile(r"-([0-9a-f]{8})\.pth$")
TASKS = {"Object Detection": "box AP", "Instance Segmentation": "mask AP"}


@dataclass(frozen=True)
class ZooModel:
    """A checkpoint of the zoo. config: below mmdet's configs; sha256: its first digits; APs in percent."""

    name: str
    config: str
    address: str
    sha256: str
    box_ap: float | None
    mask_ap: float | None


def zoo_folder() -> Path:
    """The folder of mmdet's configs and metafiles. Raises UserError if there is none."""
    spec = importlib.util.find_spec("mmdet")
    for place in (spec and spec.submodule_search_locations) or ():
        if (folder := Path(place) / CONFIGS).is_dir():
            return folder
    raise UserError(
        f"mmdet: no folder {CONFIGS} in the installed package, expected its metafiles; run `make setup`"
    )


def zoo_model(name: str, folder: Path | None = None) -> ZooModel:
    """The checkpoint of this name (`Name:` in a metafile). Raises UserError.

    folder: where the metafiles lie; mmdet's own without it.
    """
    folder = folder or zoo_folder()
    names: list[str] = []
    for file in sorted(folder.glob("*/metafile.yml")):
        found = NAME.findall(read_text(file))
        if name in found:
            return _read(file, name)
        names += found
    close = difflib.get_close_matches(name, names, n=1)
    raise UserError(
        f"{name}: no checkpoint of mmdet's model zoo; expected a `Name` of {folder}/*/metafile.yml"
        + (f" (did you mean {close[0]}?)" if close else "")
    )


def _read(file: Path, name: str) -> ZooModel:
    """One entry of a metafile."""
    content = yaml.safe_load(read_text(file))
    entry = next(entry for entry in _models(content) if entry.get("Name") == name)
    address = str(entry.get("Weights", ""))
    digits = DIGITS.search(address)
    if digits is None:
        raise UserError(
            f"{file}: {name}: Weights: found {address!r}, expected an address that ends with the first eight "
            "digits of the checkpoint's SHA-256; name it by `address` and `sha256` instead"
        )
    metrics = {result.get("Task"): result.get("Metrics", {}) for result in entry.get("Results", ())}
    aps = [metrics.get(task, {}).get(metric) for task, metric in TASKS.items()]
    config = str(entry.get("Config", "")).removeprefix("configs/")
    return ZooModel(name, config, address, digits[1], *aps)


def _models(content: Any) -> Iterator[dict[str, Any]]:
    """The entries of a metafile, which is a mapping or a list of models alone."""
    models = content.get("Models", ()) if isinstance(content, dict) else content
    yield from (entry for entry in models or () if isinstance(entry, dict))
