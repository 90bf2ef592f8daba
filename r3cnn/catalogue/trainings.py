"""Trainings and their evaluations: a catalogue's file read, checked and merged with the paper's."""

import dataclasses
from pathlib import Path
from typing import Any

from ..core.errors import UserError
from ..core.layout import EXPERIMENTS, PACKAGE, project_file
from ..core.schema import read_checked, shown
from .chains import config_chain
from .names import names_in, ordered, unknown_name
from .zoo import zoo_model

PAPER = EXPERIMENTS / "paper.yaml"
MODELS = EXPERIMENTS / "models"
MIXINS = MODELS / "with"
TABLES = project_file("reports/tables.yaml")  # None in a wheel, which renders its own
CATALOGUE_SCHEMA = PACKAGE / "catalogue" / "schemas" / "catalogue.schema.yaml"


@dataclasses.dataclass(frozen=True)
class Weights:
    """A checkpoint that takes the place of training: a file's path or an address, and its SHA-256.

    Of the model zoo's the first eight digits are known.
    """

    source: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Training:
    """One line of `trainings:`; `model` and `mixins` as written there, the files found for them."""

    id: str
    model: str
    model_file: Path
    schedule: str
    iou: tuple[float, ...]  # empty where the model has no loop
    mixins: tuple[str, ...]
    mixin_files: tuple[Path, ...]
    options: dict[str, object]
    catalogue: Path
    weights: Weights | None = None
    code: Path | None = None  # registers the user's own heads
    trained_as: str = ""  # the training whose weights this one evaluates in another way
    rate: float = 1.0  # a multiple of the scale's learning rate, from a sweep

    @property
    def trains(self) -> bool:
        """Whether it is trained here: neither given weights nor those of another training."""
        return not (self.weights or self.trained_as)

    @property
    def loops(self) -> int:
        """Training loops L_t; 1 for a model without IoU thresholds."""
        return len(self.iou) or 1

    def settings(self) -> dict[str, object]:
        """The line as plain values with defaults: equal where two lines mean the same."""
        weights = {"weights": self.weights.sha256} if self.weights else {}
        if self.trained_as:
            weights["trained_as"] = self.trained_as
        swept = {} if self.rate == 1 else {"rate": self.rate}
        return {
            "model": self.model,
            "schedule": self.schedule,
            "iou": list(self.iou),
            "with": list(self.mixins),
            "options": ordered(self.options),
            **weights,
            **swept,
        }

    def config_files(self) -> list[Path]:
        """The files that define the model: the config's chain of bases, the mixins, code of the user's own."""
        chains = [config_chain(path) for path in (self.model_file, *self.mixin_files)]
        chains.append([self.code] if self.code else [])
        return list(dict.fromkeys(path for chain in chains for path in chain))


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The trainings by id, each one's evaluation loops (L_e, ascending), and the file of tables.

    stated_in: the file that says with which loops a training is evaluated, of those that one does.
    """

    trainings: dict[str, Training]
    evaluations: dict[str, tuple[int, ...]]
    tables: Path | None
    stated_in: dict[str, Path]

    @property
    def trains(self) -> bool:
        """Whether any training is done here, so that training images are needed."""
        return any(training.trains for training in self.trainings.values())


def load_catalogue(path: Path | str | None = None) -> Catalogue:
    """Read a user's catalogue and, unless it `extends: nothing`, the paper's before it.

    Without `path`, or with the paper's own file: the paper's catalogue. Raises UserError.
    """
    own = PAPER if path is None else Path(path)
    paper = own.resolve() == PAPER
    own = PAPER if paper else own
    content = read_checked(own, CATALOGUE_SCHEMA)
    extends = content.get("extends", "paper")
    if paper or extends == "nothing":
        parts = [(own, content)]
    else:
        parts = [(PAPER, read_checked(PAPER, CATALOGUE_SCHEMA)), (own, content)]

    trainings: dict[str, Training] = {}
    loops: dict[str, tuple[int, ...]] = {}
    stated_in: dict[str, Path] = {}
    for file, part in parts:
        for id_, entry in part.get("trainings", {}).items():
            if id_ in trainings:
                raise _duplicate(file, f"trainings.{id_}", trainings[id_].catalogue)
            trainings[id_] = _training(file, id_, entry)
        for id_, entry in part.get("evaluations", {}).items():
            if id_ in loops:
                raise _duplicate(file, f"evaluations.{id_}", PAPER)
            if id_ not in trainings:
                raise unknown_name(file, f"evaluations.{id_}", "training", id_, trainings)
            loops[id_], stated_in[id_] = tuple(sorted(entry["loops"])), file
    if "sweep" in content:
        _add_swept(own, content["sweep"], trainings, loops, stated_in)
    _require_trained(trainings)
    if not trainings:
        raise UserError(f"{shown(own)}: trainings: empty; expected at least one")
    evaluations = {id_: loops.get(id_, (t.loops,)) for id_, t in trainings.items()}
    default = TABLES if paper or extends == "paper" else None
    tables = _tables(own, content.get("tables"), default)
    return Catalogue(trainings, evaluations, tables, stated_in)


def _training(file: Path, id_: str, entry: dict[str, Any]) -> Training:
    """One checked entry with its files found."""
    key = f"trainings.{id_}"
    model = entry["model"]
    if model.endswith(".py"):
        model_file = _beside(file, f"{key}.model", model)
    else:
        model_file = _named(file, f"{key}.model", "model", model, MODELS)
    mixins = entry.get("with", [])
    mixins = (mixins,) if isinstance(mixins, str) else tuple(mixins)
    mixin_files = tuple(_named(file, f"{key}.with", "mixin", name, MIXINS) for name in mixins)
    return Training(
        id=id_,
        model=model,
        model_file=model_file,
        schedule=entry.get("schedule", "1x"),
        iou=tuple(entry.get("iou", ())),
        mixins=mixins,
        mixin_files=mixin_files,
        options=entry.get("options", {}),
        catalogue=file,
        weights=_weights(file, key, entry.get("weights")),
        code=_beside(file, f"{key}.code", entry["code"]) if "code" in entry else None,
        trained_as=entry.get("trained_as", ""),
    )


def _add_swept(
    file: Path,
    sweep: dict[str, Any],
    trainings: dict[str, Training],
    loops: dict[str, tuple[int, ...]],
    stated_in: dict[str, Path],
) -> None:
    """Add each training of a sweep once for each rate, evaluated as the training itself is."""
    for id_ in sweep["trainings"]:
        if id_ not in trainings:
            raise unknown_name(file, "sweep.trainings", "training", id_, trainings)
        if trainings[id_].weights or trainings[id_].trained_as:
            raise UserError(
                f"{shown(file)}: sweep.trainings: {id_} is not trained, so it has no learning rate; remove it"
            )
    for id_ in sweep["trainings"]:
        for name, rate in sweep["rates"].items():
            new = f"{id_}_{name}"
            if new in trainings:
                raise _duplicate(file, f"sweep: {new}", trainings[new].catalogue)
            trainings[new] = dataclasses.replace(
                trainings[id_], id=new, catalogue=file, rate=float(rate)
            )
            if id_ in loops:
                loops[new], stated_in[new] = loops[id_], stated_in[id_]


def _beside(file: Path, key: str, name: str) -> Path:
    """The file that a catalogue names relative to its own folder."""
    path = file.parent / name
    if not path.is_file():
        raise UserError(
            f"{shown(file)}: {key}: no file {name!r}; expected a path relative to the folder of {file.name}"
        )
    return path


def _require_trained(trainings: dict[str, Training]) -> None:
    """What takes another's weights names a training that has some of its own."""
    own = [id_ for id_, training in trainings.items() if not training.trained_as]
    for id_, training in trainings.items():
        key = f"trainings.{id_}.trained_as"
        if training.trained_as and training.weights:
            raise UserError(
                f"{shown(training.catalogue)}: {key}: cannot be combined with `weights`; remove one"
            )
        if training.trained_as and training.trained_as not in own:
            raise unknown_name(training.catalogue, key, "training", training.trained_as, own)


def _weights(file: Path, key: str, entry: dict[str, Any] | None) -> Weights | None:
    if entry is None:
        return None
    if "zoo" in entry:
        try:
            model = zoo_model(entry["zoo"])
        except UserError as error:
            raise UserError(f"{shown(file)}: {key}.weights.zoo: {error}") from None
        return Weights(model.address, model.sha256)
    if "address" in entry:
        return Weights(entry["address"], entry["sha256"])
    return Weights(str(_beside(file, f"{key}.weights.file", entry["file"])), entry["sha256"])


def _named(file: Path, key: str, kind: str, name: str, folder: Path) -> Path:
    known = names_in(folder, "py")
    if name not in known:
        raise unknown_name(file, key, kind, name, known)
    return folder / f"{name}.py"


def _tables(file: Path, name: str | None, default: Path | None) -> Path | None:
    """The file of tables that a catalogue asks for, if any."""
    if name is None:
        return default
    return _beside(file, "tables", name)


def _duplicate(file: Path, key: str, other: Path) -> UserError:
    return UserError(f"{shown(file)}: {key}: this id is also in {shown(other)}; choose another id")
