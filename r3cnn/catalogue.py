"""The catalogue of experiments and the scales: read, checked, merged. Without torch and mmdet."""

import ast
import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from r3cnn.errors import UserError
from r3cnn.schema import choice, read_checked, shown

REPO = Path(__file__).resolve().parents[1]
PAPER = REPO / "experiments" / "paper.yaml"
MODELS = REPO / "experiments" / "models"
MIXINS = MODELS / "with"
SCALES = REPO / "experiments" / "scales"
TABLES = REPO / "reports" / "tables.yaml"
CATALOGUE_SCHEMA = REPO / "workflow" / "schemas" / "catalogue.schema.yaml"
SCALE_SCHEMA = REPO / "workflow" / "schemas" / "scale.schema.yaml"


@dataclasses.dataclass(frozen=True)
class Weights:
    """A checkpoint that takes the place of training: a file's path or an address, and its SHA-256."""

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

    @property
    def loops(self) -> int:
        """Training loops L_t; 1 for a model without IoU thresholds."""
        return len(self.iou) or 1

    def settings(self) -> dict[str, object]:
        """The line as plain values with defaults: equal where two lines mean the same."""
        weights = {"weights": self.weights.sha256} if self.weights else {}
        if self.trained_as:
            weights["trained_as"] = self.trained_as
        return {
            "model": self.model,
            "schedule": self.schedule,
            "iou": list(self.iou),
            "with": list(self.mixins),
            "options": _ordered(self.options),
            **weights,
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


@dataclasses.dataclass(frozen=True)
class Scale:
    """One file of experiments/scales: data, image size (pixels), schedules (epochs), network."""

    name: str
    path: Path
    seeds: tuple[int, ...]
    data: dict[str, object]
    images: tuple[int, int]
    batch: int
    per_pass: int
    workers: int
    lr: float
    warmup: dict[str, float]
    schedules: dict[str, dict]
    network: dict[str, float] | None
    validate: dict[str, int] | None = None  # after every so many epochs; None: never
    measure: dict[str, bool] | None = None  # None: alone

    @property
    def measured_alone(self) -> bool:
        """Whether a measurement keeps all cores, so that no other job disturbs its clock."""
        return self.measure is None or self.measure["alone"]

    def schedule(self, name: str) -> dict:
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
        return _ordered(
            {
                **validate,
                "images": list(self.images),
                "batch": self.batch,
                "per_pass": self.per_pass,
                "lr": self.lr,
                "warmup": self.warmup,
                "schedule": self.schedule(schedule),
                "network": self.network,
            }
        )


def load_catalogue(path: Path | str | None = None) -> Catalogue:
    """Read a user's catalogue and, unless it `extends: nothing`, the paper's before it.

    Without `path`, or with the paper's own file: the paper's catalogue. Raises UserError.
    """
    paper = path is None or Path(path).resolve() == PAPER
    own = PAPER if paper else Path(path)
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
                raise _unknown(file, f"evaluations.{id_}", "training", id_, trainings)
            loops[id_], stated_in[id_] = tuple(sorted(entry["loops"])), file
    _require_trained(trainings)
    if not trainings:
        raise UserError(f"{shown(own)}: trainings: there are none; expected at least one")
    evaluations = {id_: loops.get(id_, (t.loops,)) for id_, t in trainings.items()}
    default = TABLES if paper or extends == "paper" else None
    tables = _tables(own, content.get("tables"), default)
    return Catalogue(trainings, evaluations, tables, stated_in)


def load_scale(name: Path | str) -> Scale:
    """Read a scale by its name in experiments/scales or by a .yaml path. Raises UserError."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = SCALES / f"{name}.yaml"
        if not path.is_file():
            raise _unknown(SCALES, str(name), "scale", str(name), _names(SCALES, "yaml"))
    content = read_checked(path, SCALE_SCHEMA)
    for key, schedule in content["schedules"].items():
        late = [epoch for epoch in schedule["drops"] if epoch >= schedule["epochs"]]
        if late:
            raise UserError(
                f"{shown(path)}: schedules.{key}.drops: found {late[0]}; "
                f"expected epochs before the last one, {schedule['epochs']}"
            )
    sequences = {"seeds": tuple(content["seeds"]), "images": tuple(content["images"])}
    return Scale(name=path.stem, path=path, **{**content, **sequences})


def config_chain(path: Path) -> list[Path]:
    """A model config and the project's own files among its bases, itself first.

    Reads `_base_` without running the file; bases of a package (`mmdet::...`) are left out.
    Raises UserError where a base is missing or a file is no Python.
    """
    chain: dict[Path, None] = {}
    waiting = [Path(path)]
    while waiting:
        file = waiting.pop(0)
        if file in chain:
            continue
        chain[file] = None
        for base in _bases(file):
            base_file = Path(os.path.normpath(file.parent / base))
            if not base_file.is_file():
                raise UserError(
                    f"{shown(file)}: _base_: no file {base!r}; "
                    "expected a path relative to this file, or mmdet::..."
                )
            waiting.append(base_file)
    return list(chain)


def _training(file: Path, id_: str, entry: dict) -> Training:
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
                f"{shown(training.catalogue)}: {key}: stands beside `weights`; remove one"
            )
        if training.trained_as and training.trained_as not in own:
            raise _unknown(training.catalogue, key, "training", training.trained_as, own)


def _weights(file: Path, key: str, entry: dict | None) -> Weights | None:
    if entry is None:
        return None
    if "address" in entry:
        return Weights(entry["address"], entry["sha256"])
    return Weights(str(_beside(file, f"{key}.weights.file", entry["file"])), entry["sha256"])


def _named(file: Path, key: str, kind: str, name: str, folder: Path) -> Path:
    known = _names(folder, "py")
    if name not in known:
        raise _unknown(file, key, kind, name, known)
    return folder / f"{name}.py"


def _names(folder: Path, suffix: str) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"[!_]*.{suffix}"))


def _tables(file: Path, name: str | None, default: Path | None) -> Path | None:
    """The file of tables that a catalogue asks for, if any."""
    if name is None:
        return default
    return _beside(file, "tables", name)


def _bases(file: Path) -> list[str]:
    """The `_base_` entries of a config that are files."""
    try:
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except SyntaxError as error:
        line = f"line {error.lineno}: no valid Python: {error.msg}"
        raise UserError(f"{shown(file)}: {line}") from None
    values = [node.value for node in body if isinstance(node, ast.Assign) and _is_base(node)]
    bases = values[-1:]
    if bases and isinstance(bases[0], ast.List | ast.Tuple):
        bases = bases[0].elts
    if not all(isinstance(base, ast.Constant) and isinstance(base.value, str) for base in bases):
        raise UserError(f"{shown(file)}: _base_: expected a string or a list of strings")
    return [base.value for base in bases if "::" not in base.value]


def _is_base(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "_base_" for target in node.targets)


def _unknown(file: Path, key: str, kind: str, name: str, known: Iterable[str]) -> UserError:
    return UserError(f"{shown(file)}: {key}: unknown {kind} {name!r}; {choice(name, known)}")


def _duplicate(file: Path, key: str, other: Path) -> UserError:
    return UserError(
        f"{shown(file)}: {key}: this id stands in {shown(other)} too; choose another id"
    )


def _ordered(value: object) -> object:
    """`value` with the keys of every mapping in order, so that equal settings look equal."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value
