"""Estimate the cost of a scale's trainings before they are submitted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from ..catalogue.costs import (
    CHECKPOINTS,
    COSTS,
    COSTS_SCHEMA,
    PAPER_GPUS,
    REFERENCE,
    measured_as,
    training_images,
)
from ..catalogue.scales import Scale
from ..catalogue.trainings import Catalogue, Training
from ..core.errors import UserError
from ..core.layout import RunFolder
from ..core.progress import duration
from ..core.schema import read_checked, shown
from ..core.steps import images_a_step, steps_of_epoch
from ..core.work import lanes_end

HEADINGS = (
    "training", "seed", "steps", "GPU-hours", "wall hours", "GiB/GPU", "disk GB", "from",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What one image of a training costs on one GPU, where the number comes from, and the peak memory."""

    gpu_seconds: float
    memory: float | None  # GiB of each GPU
    device: str
    how: str


@dataclass(frozen=True)
class Row:
    """One training with one seed. `done`: its results are there, so that it costs nothing more."""

    training: str
    seed: int
    done: bool
    steps: int
    gpu_hours: float
    memory: float | None
    gigabytes: float
    how: str


@dataclass(frozen=True)
class Plan:
    """What is asked: GPUs in all and of each training, and what an hour of one costs (None: not said)."""

    gpus: int
    gpus_of_training: int
    price: float | None = None
    watts: float | None = None


def recorded(path: Path, trainings: Iterable[Training]) -> dict[str, Cost]:
    """The cost of each training from a file of measurements. Raises UserError where one is missing.

    A training that was not measured itself takes the cost of one that was (`relative: to:`), by what its
    pass costs relative to that one's on another device.
    """
    content = read_checked(path, COSTS_SCHEMA)
    measured, relative = content["measured"], content.get("relative", {})
    memory = content.get("memory", {}).get("gigabytes", {})
    unit = measured["gpus"] / measured["images"]
    seconds = {id_: value * unit for id_, value in measured["seconds"].items()}
    passes, compared = relative.get("seconds", {}), relative.get("to", {})
    device = measured["device"]
    found = {}
    for training in trainings:
        id_ = measured_as(training.id, {**seconds, **passes}, content.get("same", {}))
        if id_ in seconds:
            cost, how = seconds[id_], "measured"
        elif id_ in passes and (like := compared.get(id_, REFERENCE)) in seconds.keys() & passes:
            factor = passes[id_] / passes[like]
            cost, how = seconds[like] * factor, f"{factor:.2f} x {like}"
        else:
            raise UserError(
                f"{shown(path)}: {training.id}: no measurement; measure it with `python -m r3cnn estimate "
                "--probe`, or add a line"
            )
        found[training.id] = Cost(cost, memory.get(id_), device, how)
    return found


def sources_of(path: Path) -> list[str]:
    """Where the numbers of a file of measurements come from, one line for each part of it."""
    content = read_checked(path, COSTS_SCHEMA)
    parts = ("measured", "relative", "memory")
    return [f"{part}: {content[part]['source']}" for part in parts if part in content]


def rows(
    catalogue: Catalogue,
    scale: Scale,
    results: Path,
    costs: Mapping[str, Cost],
    checkpoints: Mapping[str, int],
    plan: Plan,
) -> list[Row]:
    """Every training and seed. checkpoints: bytes of each training's checkpoint."""
    found = []
    images = training_images(scale, results)
    batch = images_a_step(scale.batch, scale.per_pass, plan.gpus_of_training)
    for id_, training in catalogue.trainings.items():
        if not training.trains:
            continue
        steps = steps_of_epoch(images, batch) * scale.schedule(training.schedule)["epochs"]
        hours = steps * batch * costs[id_].gpu_seconds / 3600
        for seed in scale.seeds:
            done = RunFolder(results).training(id_, seed).manifest.is_file()
            found.append(
                Row(
                    id_, seed, done, steps, hours, costs[id_].memory,
                    CHECKPOINTS * checkpoints[id_] / 1e9, costs[id_].how,
                )
            )  # fmt: skip
    return found


def gpu_hours(catalogue: Catalogue, scale: Scale) -> float:
    """GPU-hours of all trainings of the paper's network, by the recorded costs; finished ones count too."""
    costs = recorded(COSTS, catalogue.trainings.values())
    free = dict.fromkeys(catalogue.trainings, 0)
    nothing_done = Path("results", scale.name, "none")
    return sum(
        row.gpu_hours
        for row in rows(catalogue, scale, nothing_done, costs, free, Plan(PAPER_GPUS, PAPER_GPUS))
    )


def wall_hours(left: Iterable[Row], plan: Plan) -> float:
    """Hours until all are done, the longest first, as many at a time as there are GPUs for."""
    lanes = [0.0] * (plan.gpus // plan.gpus_of_training)
    return lanes_end(lanes, (row.gpu_hours / plan.gpus_of_training for row in left))


def render(found: list[Row], scale: Scale, plan: Plan, device: str, sources: Iterable[str]) -> str:
    """The table and what it is made of, as text."""
    cells = []
    for row in found:
        wall = row.gpu_hours / plan.gpus_of_training
        times = ("done", "-") if row.done else (f"{row.gpu_hours:.1f}", f"{wall:.1f}")
        memory = "?" if row.memory is None else f"{row.memory:.1f}"
        disk = f"{row.gigabytes:.1f}"
        cells.append((row.training, row.seed, row.steps, *times, memory, disk, row.how))
    table = tabulate(
        cells, HEADINGS, tablefmt="plain", disable_numparse=True,
        colalign=("left", *("right",) * 6, "left"),
    )  # fmt: skip
    lines = [f"Scale {scale.name} on {device}, {plan.gpus_of_training} GPUs a training:", "", table]
    left = [row for row in found if not row.done]
    hours, disk = sum(row.gpu_hours for row in left), sum(row.gigabytes for row in left)
    wall = wall_hours(left, plan)
    lines += [
        "",
        f"To do: {len(left)} of {len(found)} trainings, {hours:.0f} GPU-hours, {disk:.1f} GB of checkpoints.",
        f"With {plan.gpus} GPUs, {plan.gpus // plan.gpus_of_training} at a time: {duration(wall * 3600)}.",
    ]
    if scale.validate:
        lines.append("The validations between the epochs come on top: they were not measured.")
    if plan.price is not None:
        lines.append(f"Money: {hours * plan.price:.0f} at {plan.price:g} a GPU-hour.")
    if plan.watts is not None:
        lines.append(f"Energy: {hours * plan.watts / 1000:.0f} kWh at {plan.watts:g} W a GPU.")
    lines += ["", *sources]
    return "\n".join(lines)
