"""Paths: the project's own files, and every file of a results folder.

The only module that knows how many folders lie above it, and the only one that spells the path of a result.
"""

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def _checkout() -> Path | None:
    """The checkout that this package is imported from; None for an installed wheel."""
    root = PACKAGE.parent
    is_one = (root / "workflow" / "Snakefile").is_file() and (root / "experiments").is_dir()
    return root if is_one else None


CHECKOUT = _checkout()


def project_file(name: str) -> Path | None:
    """A file of the checkout, such as constraints.txt; None if there is no checkout or no such file."""
    path = CHECKOUT / name if CHECKOUT else None
    return path if path and path.exists() else None


# What is run: the checkout's folder, else the copy in the wheel.
EXPERIMENTS = (CHECKOUT or PACKAGE) / "experiments"


@dataclass(frozen=True)
class TrainingFolder:
    """The published results of one training: results/<name>/trainings/<id>/seed<k>."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.py"

    @property
    def checkpoint(self) -> Path:
        """Weights, momentum and counts after the last step."""
        return self.path / "checkpoint.pth"

    @property
    def manifest(self) -> Path:
        """What was run, on what, by what, at what cost."""
        return self.path / "manifest.json"

    @property
    def histogram(self) -> Path:
        """Counts of the training samples by IoU."""
        return self.path / "iou_histogram.csv"

    @property
    def log(self) -> Path:
        """One JSON line a step."""
        return self.path / "train.jsonl"

    @property
    def validation(self) -> Path:
        """One JSON line a validated epoch."""
        return self.path / "validation.jsonl"

    @property
    def id(self) -> str:
        """The training's id in the catalogue."""
        return self.path.parent.name

    @property
    def seed(self) -> str:
        """The seed as the folder's name says it."""
        return self.path.name.removeprefix("seed")

    @property
    def run(self) -> "RunFolder | None":
        """The results folder that this training is in; None if the folder lies nowhere so deep."""
        above = self.path.absolute().parents
        return RunFolder(above[2]) if len(above) > 2 else None


@dataclass(frozen=True)
class StateFolder:
    """What one config of a training keeps while it runs: results/<name>/state/<id>/seed<k>/<config hash>."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """The folder of the last checkpoints."""
        return self.path / "checkpoints"

    @property
    def log(self) -> Path:
        """One JSON line a step."""
        return self.path / "train.jsonl"

    @property
    def validation(self) -> Path:
        """One JSON line a validated epoch."""
        return self.path / "validation.jsonl"

    @property
    def attempts(self) -> Path:
        """What each attempt ran on and cost."""
        return self.path / "attempts.json"


@dataclass(frozen=True)
class RunFolder:
    """A results folder: results/<name>. The rules of the workflow write the same names."""

    path: Path

    @property
    def data(self) -> Path:
        """The checked data: classes, counts, checksums."""
        return self.path / "data.json"

    @property
    def claims(self) -> Path:
        """The hash of each claim, as it was before the trainings that it is about began."""
        return self.path / "claims.json"

    @property
    def settings(self) -> Path:
        """What the last run was told by --config, and the trainings of its catalogue."""
        return self.path / "settings.json"

    @property
    def doctor(self) -> Path:
        """What the doctor said of a GPU node before the first training on Slurm."""
        return self.path / "doctor.txt"

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.path / "report"

    @property
    def benchmarks(self) -> Path:
        """The folder of Snakemake's benchmark files."""
        return self.path / "benchmarks"

    def training(self, id_: str, seed: int | str) -> TrainingFolder:
        """The published results of a training."""
        return TrainingFolder(self.path / "trainings" / id_ / f"seed{seed}")

    def trainings(self, id_: str = "*") -> list[TrainingFolder]:
        """Every training (of an id) that has a folder, by id and seed."""
        return [TrainingFolder(p) for p in sorted((self.path / "trainings").glob(f"{id_}/seed*"))]

    def state(self, id_: str, seed: int | str) -> Path:
        """What survives a stop of a training; holds a StateFolder for each config."""
        return self.path / "state" / id_ / f"seed{seed}"

    def states(self) -> list[Path]:
        """Of every training and prediction that was begun, what survives a stop, by id and seed."""
        return sorted((self.path / "state").glob("*/seed*"))

    def prediction_state(self, id_: str, seed: int | str) -> Path:
        """What survives a stop of a prediction: the images that it has."""
        return self.path / "state" / id_ / f"seed{seed}.predictions"

    def predictions(self, id_: str, seed: int | str) -> Path:
        """The detections of a training, every L_e in one file."""
        return self.path / "predictions" / id_ / f"seed{seed}.parquet"

    def score(self, id_: str, seed: int | str, loops: int | str) -> Path:
        """The metrics of one L_e."""
        return self.path / "scores" / id_ / f"seed{seed}" / f"loops{loops}.json"

    def scores(self, id_: str = "*", seed: int | str = "*") -> list[Path]:
        """Every score there is (of a training), by id, seed and L_e."""
        named = (self.path / "scores").glob(f"{id_}/seed{seed}/loops*.json")
        found = (path for path in named if "." not in path.stem)  # not what lies next to a score
        return sorted(found, key=lambda path: (path.parent, len(path.name), path.name))

    def measurement(self, id_: str) -> Path:
        """Parameters, size, memory and speed of a training's model."""
        return self.path / "measurements" / f"{id_}.json"

    def measurements(self) -> list[Path]:
        """Every measurement there is, by id."""
        return sorted((self.path / "measurements").glob("*.json"))

    def training_ids(self) -> list[str]:
        """The trainings that have a folder."""
        return sorted(path.name for path in (self.path / "trainings").glob("*") if path.is_dir())

    def galleries(self, id_: str) -> list[Path]:
        """The galleries of a training's seeds."""
        return sorted((self.path / "predictions" / id_).glob("seed*.gallery.json"))

    def job_log(self, rule: str, id_: str, seed: int | str) -> Path:
        """The log of a training's job of a rule."""
        return self.path / "logs" / rule / f"{id_}.seed{seed}.log"


def gallery_of(predictions: Path) -> Path:
    """The file of some images with what each loop found; lies next to the predictions."""
    return predictions.with_name(f"{predictions.stem}.gallery.json")


def resamples_of(score: Path) -> Path:
    """The file of the metrics on resampled images; lies next to the score."""
    return score.with_name(f"{score.stem}.bootstrap.parquet")


def errors_of(score: Path) -> Path:
    """The file of what went wrong by kind; lies next to the score."""
    return score.with_name(f"{score.stem}.errors.json")


def configs_of(state: Path) -> list[StateFolder]:
    """The parts of a training's state, one for each config that has trained a step."""
    return [StateFolder(log.parent) for log in sorted(state.glob("*/train.jsonl"))]


# Charts of the report that are drawn of every run: <name>.svg and <name>.csv.
AP_OVER_IOU, GAIN_OVER_IOU = "ap_over_iou", "ap_gain_over_iou"
ERRORS_OVER_LOOPS = "errors_over_loops"
AP_OVER_COST, AP_OVER_PARAMETERS = "ap_over_cost", "ap_over_parameters"
AP_BY_CLASS, PRECISION_OVER_RECALL = "ap_by_class", "precision_over_recall"
CONFUSION, CALIBRATION = "confusion", "calibration"
REPORT_CHARTS = (
    AP_OVER_IOU, GAIN_OVER_IOU, ERRORS_OVER_LOOPS, AP_OVER_COST, AP_OVER_PARAMETERS,
    AP_BY_CLASS, PRECISION_OVER_RECALL, CONFUSION, CALIBRATION,
)  # fmt: skip

# The names of result files within a results folder, as commands are told them.
NAMES = RunFolder(Path())
