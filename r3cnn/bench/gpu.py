"""The paper's remaining columns at full size: training memory, step time and images per second of each model.

Written for a GPU; on a CPU the same runs at small size, without the memory.
"""

import gc
import logging
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from ..catalogue.trainings import load_catalogue
from ..core import provenance
from ..core.errors import UserError
from ..core.files import write_json
from ..core.schema import choice
from ..evaluation.predict import predict_batch
from ..weights import device
from ..weights.size import GIB
from .gpu_options import options
from .gpu_table import render
from .models import Images, Step, batches_of, config, predictor
from .table import read
from .timing import wait

log = logging.getLogger(__name__)
MODELS = (
    *("mask_1x", "htc", "r3_naive_inc", "r3_advanced", "groie", "r3l_groie"),
    *("gcnet", "htc_gcnet", "r3l_gcnet", "dcn", "htc_dcn", "r3l_dcn"),
)
REFERENCE, ADVANCED = "htc", "r3_advanced"
SIZE, SCALE = (1333, 800), "paper"
CLASSES = 80  # COCO's, as the heads of the paper's models have; the generated objects are of 12
IMAGES = 8
ROUNDS = 2
WARM_UP = 2
MEMORY = "GPU tensors"
NO_MEMORY = "nothing: the peak of a process on a CPU holds all models before"


def measure(
    out: Path,
    models: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    scale: str | None = None,
    steps: int = 10,
    images: int = IMAGES,
) -> str:
    """Measure HTC and the models in turn, add them to the file, and return its table.

    HTC is measured in every command, so that each ratio is of one run. A model that the file already has is
    measured again; those of another device or size are refused. Without a GPU size and scale must be given.
    """
    wanted = _wanted(models)
    size, scale = _setting(size, scale)
    content = _content(out, size, scale)
    origin = {**device.record("prediction"), "steps": steps, "images": images}
    pictures = Images(*size, images, CLASSES)
    found: dict[str, list[dict]] = {}
    for number in range(ROUNDS):
        for id_ in wanted:
            cfg = config(id_, pictures, scale)
            found.setdefault(id_, []).append({**training(cfg, steps), **evaluation(cfg)})
            log.info("round %d/%d, %s: %s", number + 1, ROUNDS, id_, found[id_][-1])
            content["models"] |= _of_this_run(found, origin)
            write_json(out, content)  # after each: a limit on time must not cost what was measured
    if ADVANCED in wanted:
        forget()
        found_faster = options(config(ADVANCED, pictures, scale))
        content["advanced"] = {**found_faster, "measured": {**origin, "end": provenance.now()}}
        write_json(out, content)
    return render(content)


def _wanted(models: Sequence[str] | None) -> tuple[str, ...]:
    """The trainings to measure, HTC first."""
    known = load_catalogue().trainings
    for id_ in models or ():
        if id_ not in known:
            raise UserError(f"--models {id_}: unknown id; {choice(id_, known)}")
    return tuple(dict.fromkeys((REFERENCE, *(models or MODELS))))


def _setting(size: tuple[int, int] | None, scale: str | None) -> tuple[tuple[int, int], str]:
    if not torch.cuda.is_available() and (size is None or scale is None):
        raise UserError(
            "bench gpu: torch finds no GPU, and full-size models take hours on a CPU; run it on a machine "
            "with a GPU, or try it on the CPU with both --size and --scale, as --size 96x64 --scale smoke"
        )
    return size or SIZE, scale or SCALE


def _content(out: Path, size: tuple[int, int], scale: str) -> dict:
    """What the file holds already, whatever its kind, with this run's setting."""
    origin = {
        "size": "x".join(map(str, size)),
        "scale": scale,
        "classes": CLASSES,
        "device": device.device_name(),
        "memory_of": MEMORY if torch.cuda.is_available() else NO_MEMORY,
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
    }
    earlier = read(out)
    for key in origin if "models" in earlier else ():
        if earlier.get(key) != origin[key]:
            raise UserError(
                f"{out}: {key}: found {earlier.get(key)}, this run has {origin[key]}; "
                "name another --out"
            )
    return {"models": {}, **earlier, **origin}


def _of_this_run(found: dict[str, list[dict]], origin: dict) -> dict[str, dict]:
    """Each model's medians, its ratios to HTC of the same command, and what measured it."""
    of = {id_: medians(rounds) for id_, rounds in found.items()}
    measured = {**origin, "end": provenance.now()}
    return {
        id_: {**one, "over_htc": over(one, of[REFERENCE]), "measured": measured}
        for id_, one in of.items()
    }


def over(one: dict, other: dict) -> dict[str, float | None]:
    """Ratios of speed, step time and memory; None where one of the two was not measured."""
    pairs = {
        name: (one[key], other[key])
        for name, key in (
            ("speed", "images_per_second"), ("step", "step_seconds"), ("memory", "training_gib")
        )
    }  # fmt: skip
    return {name: None if None in pair else pair[0] / pair[1] for name, pair in pairs.items()}


def training(cfg, steps: int) -> dict:
    """Seconds of each step with its backward pass, images a step, and the peak of memory in GiB."""
    forget()
    step = Step(cfg)
    for _ in range(WARM_UP):
        step()
    return {
        "step_seconds": timed([step] * steps),
        "images_a_step": cfg.train_dataloader.batch_size,
        "memory_gib": _peak(),
    }


def evaluation(cfg) -> dict:
    """Seconds of each image, one by one, at the model's own L_e, with as many detections as may be."""
    forget()
    detector, loops = predictor(cfg), [cfg.r3cnn.loops_trained]
    calls = [lambda data=data: predict_batch(detector, data, loops) for data in batches_of(cfg)]
    calls[0]()
    return {"image_seconds": timed(calls)}


def timed(calls: Iterable[Callable[[], object]]) -> list[float]:
    """Wall seconds of each call; the device's work included."""
    found = []
    for call in calls:
        wait()
        begin = time.perf_counter()
        call()
        wait()
        found.append(round(time.perf_counter() - begin, 6))
    return found


def medians(rounds: Sequence[dict]) -> dict:
    """One model's figures over its rounds."""
    step = statistics.median(s for one in rounds for s in one["step_seconds"])
    image = statistics.median(s for one in rounds for s in one["image_seconds"])
    peaks = [one["memory_gib"] for one in rounds]
    return {
        "step_seconds": step,
        "images_a_step": rounds[0]["images_a_step"],
        "images_per_second": 1 / image,
        "training_gib": None if None in peaks else max(peaks),
        "rounds": len(rounds),
    }


def forget() -> None:
    """Drop the former model, whose RoI head and taps hold each other, before memory is counted again."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak() -> float | None:
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / GIB, 3)
    return None  # NO_MEMORY says why
