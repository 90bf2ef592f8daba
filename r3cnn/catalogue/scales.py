"""Scales: how large the data, the schedules and the network of a run are."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from ..core.errors import UserError
from ..core.layout import EXPERIMENTS, PACKAGE
from ..core.schema import read_checked, shown
from .names import names_in, ordered, unknown_name

SCALES = EXPERIMENTS / "scales"
SCALE_SCHEMA = PACKAGE / "catalogue" / "schemas" / "scale.schema.yaml"


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A file of backbone, neck and RPN weights, and its SHA-256."""

    file: Path
    sha256: str


@dataclasses.dataclass(frozen=True)
class Scale:
    """One file of experiments/scales: data, image size (pixels), schedules (epochs), network."""

    name: str
    path: Path
    seeds: tuple[int, ...]
    data: dict[str, Any]
    images: tuple[int, int]
    batch: int
    per_pass: int
    workers: int
    lr: float
    warmup: dict[str, float]
    schedules: dict[str, dict[str, Any]]
    network: dict[str, float] | None
    validate: dict[str, int] | None = None  # after every so many epochs; None: never
    measure: dict[str, bool] | None = None  # None: alone
    pretrained: Pretrained | None = None  # None: a small network begins from scratch
    train_images: int | None = None  # the first so many of those with an object; None: all

    @property
    def measured_alone(self) -> bool:
        """Whether a measurement keeps all cores, so that no other job disturbs its clock."""
        return self.measure is None or self.measure["alone"]

    def schedule(self, name: str) -> dict[str, Any]:
        """Epochs and drops of a schedule. Raises UserError where this scale has none of that name."""
        if name not in self.schedules:
            raise UserError(
                f"{shown(self.path)}: schedules: no {name!r}, which a training of the catalogue asks for; "
                f"found {', '.join(self.schedules)}; add it, such as {name}: {{epochs: 5, drops: [4]}}"
            )
        return self.schedules[name]

    def settings(self, schedule: str) -> dict[str, object]:
        """What a training with `schedule` takes from this scale, its data and seed aside."""
        validate = {"validate": self.validate} if self.validate else {}
        pretrained = {"pretrained": self.pretrained.sha256} if self.pretrained else {}
        first = {"train_images": self.train_images} if self.train_images else {}
        settings: dict[str, object] = ordered(
            {
                **validate,
                **pretrained,
                **first,
                "images": list(self.images),
                "batch": self.batch,
                "per_pass": self.per_pass,
                "lr": self.lr,
                "warmup": self.warmup,
                "schedule": self.schedule(schedule),
                "network": self.network,
            }
        )
        return settings

    def images_of_epoch(self, trained: int) -> int:
        """Images of an epoch, of `trained` images of the data that have an object."""
        return min(trained, self.train_images or trained)


def load_scale(name: Path | str) -> Scale:
    """Read a scale by its name in experiments/scales or by a .yaml path. Raises UserError."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = SCALES / f"{name}.yaml"
        if not path.is_file():
            raise unknown_name(SCALES, str(name), "scale", str(name), names_in(SCALES, "yaml"))
    content = read_checked(path, SCALE_SCHEMA)
    for key, schedule in content["schedules"].items():
        late = [epoch for epoch in schedule["drops"] if epoch >= schedule["epochs"]]
        if late:
            raise UserError(
                f"{shown(path)}: schedules.{key}.drops: found {late[0]}; "
                f"expected epochs before the last one, {schedule['epochs']}"
            )
    sequences = {"seeds": tuple(content["seeds"]), "images": tuple(content["images"])}
    pretrained = _pretrained(path, content.pop("pretrained", None), content["network"])
    return Scale(name=path.stem, path=path, pretrained=pretrained, **{**content, **sequences})


def _pretrained(path: Path, entry: dict[str, str] | None, network: object) -> Pretrained | None:
    """The weights that a small network begins with; the file is read where a training begins."""
    if entry is None:
        return None
    if network is None:
        raise UserError(
            f"{shown(path)}: pretrained: cannot be combined with `network: null`; remove it: the paper's "
            "network takes the weights of --config backbone"
        )
    return Pretrained(Path(os.path.normpath(path.parent / entry["file"])), entry["sha256"])
