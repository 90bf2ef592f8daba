"""What a pilot run measured of each training, and what the trainings of the whole scale cost by that."""

import contextlib
import json
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from ..catalogue.trainings import Training
from ..core.errors import UserError
from ..core.files import read_json, read_text
from ..core.layout import RunFolder, TrainingFolder
from ..core.schema import shown
from .estimate import Cost, recorded

SUFFIX = "-pilot"  # results/paper-pilot is the pilot of results/paper
STARTING = 50  # steps that are slower: kernels are chosen, loaders start
AVERAGED = 50  # steps behind a loss
HEADINGS = (
    "training", "seed", "device", "GPUs", "steps", "images/s a GPU", "GiB/GPU",
    f"loss, first {AVERAGED}", f"loss, last {AVERAGED}",
)  # fmt: skip


@dataclass(frozen=True)
class Piloted:
    """One training of a pilot. seconds: of a step, the mean without the first ones; memory: a GPU's peak, GiB."""

    training: str
    seed: str
    device: str
    gpus: int
    steps: int
    batch: int
    seconds: float
    memory: float | None
    first_loss: float
    last_loss: float

    @property
    def gpu_seconds(self) -> float:
        """What one image costs on one GPU."""
        return self.seconds * self.gpus / self.batch


def read_pilot(results: Path) -> list[Piloted]:
    """The trainings of a pilot that have finished, by id and seed. Raises UserError where a file is damaged."""
    run = RunFolder(results)
    finished = [folder for folder in run.trainings() if folder.manifest.is_file()]
    found = [_piloted(run, folder) for folder in finished]
    return [one for one in found if one is not None]


def _piloted(run: RunFolder, folder: TrainingFolder) -> Piloted | None:
    """None where nothing was trained: weights that were given, or another training's."""
    manifest = read_json(folder.manifest)
    if not manifest.get("iterations") or manifest.get("weights") or manifest.get("trained_as"):
        return None
    measured = run.measurement(folder.id)
    memory = read_json(measured).get("memory", {}) if measured.is_file() else {}
    try:
        lines = [json.loads(line) for line in read_text(folder.log).splitlines()]
        seconds = [line["seconds"] for line in lines]
        losses = [line["loss"] for line in lines]
        return Piloted(
            training=folder.id,
            seed=folder.seed,
            device=manifest["device"],
            gpus=manifest["world_size"],
            steps=len(lines),
            batch=manifest["batch"],
            seconds=statistics.fmean(seconds[STARTING:] or seconds),
            memory=memory.get("training_gib"),
            first_loss=statistics.fmean(losses[:AVERAGED]),
            last_loss=statistics.fmean(losses[-AVERAGED:]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder.log}: no log of a training with seconds and losses ({error}); remove {folder.path} and run "
            "the pilot again, or give --measurements"
        ) from error


def costs_by_pilot(
    pilot: Iterable[Piloted], measurements: Path, trainings: Iterable[Training]
) -> dict[str, Cost]:
    """The cost of each training: what the pilot measured, the mean of its seeds.

    One that the pilot left out costs what `measurements` makes it cost in proportion to the piloted training
    nearest to it in cost. Raises UserError where `measurements` knows it, or every piloted one, not.
    """
    by_id: dict[str, list[Piloted]] = {}
    for one in pilot:
        by_id.setdefault(one.training, []).append(one)
    found = {id_: _cost(seeds) for id_, seeds in by_id.items()}
    known = list(trainings)
    others = recorded(measurements, [training for training in known if training.id not in found])
    references: dict[str, Cost] = {}
    for training in known if others else ():
        if training.id in found:
            with contextlib.suppress(UserError):
                references |= recorded(measurements, [training])
    if others and not references:
        raise UserError(
            f"{shown(measurements)}: contains none of the piloted trainings ({', '.join(found)}), so the cost of "
            "the others cannot be derived from them; pilot all trainings"
        )
    return found | {id_: _in_proportion(cost, references, found) for id_, cost in others.items()}


def _cost(seeds: list[Piloted]) -> Cost:
    memories = [one.memory for one in seeds if one.memory is not None]
    seconds = statistics.fmean(one.gpu_seconds for one in seeds)
    return Cost(seconds, max(memories, default=None), seeds[0].device, "pilot")


def _in_proportion(cost: Cost, references: Mapping[str, Cost], piloted: Mapping[str, Cost]) -> Cost:
    def distance(id_: str) -> float:
        return abs(math.log(cost.gpu_seconds / references[id_].gpu_seconds))

    like = min(references, key=distance)
    factor = cost.gpu_seconds / references[like].gpu_seconds
    seconds = factor * piloted[like].gpu_seconds
    return Cost(seconds, None, piloted[like].device, f"{factor:.2f} x {like}, pilot")


def render_pilot(pilot: Iterable[Piloted]) -> str:
    """The pilot's trainings as a table."""
    cells = [
        (
            one.training, one.seed, one.device, one.gpus, one.steps, f"{1 / one.gpu_seconds:.2f}",
            "?" if one.memory is None else f"{one.memory:.1f}",
            f"{one.first_loss:.3f}", f"{one.last_loss:.3f}",
        )
        for one in pilot
    ]  # fmt: skip
    return tabulate(
        cells, HEADINGS, tablefmt="plain", disable_numparse=True,
        colalign=("left", "right", "left", *("right",) * 6),
    )  # fmt: skip
