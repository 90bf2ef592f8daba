"""The paper's remaining columns at full size: training memory, step time and images a second of each model.

Written for a GPU; on a CPU the same runs at small size, with the process's memory in place of the GPU's.
"""

import gc
import logging
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from .. import provenance
from ..catalogue import load_catalogue
from ..errors import UserError
from ..files import write_json
from ..measure import GIB
from ..models.map_conv import use_direct
from ..predict import predict_batch
from ..schema import choice
from . import advanced
from .models import Images, Step, batches_of, config, predictor
from .table import read
from .timing import in_turn, ratio, wait

log = logging.getLogger(__name__)
MODELS = (
    *("mask_1x", "htc", "r3_naive_inc", "r3_advanced", "groie", "r3l_groie"),
    *("gcnet", "htc_gcnet", "r3l_gcnet", "dcn", "htc_dcn", "r3l_dcn"),
)
REFERENCE = "htc"
IMAGES = 8
ROUNDS = 2
WARM_UP = 2
# table 1: images a second over HTC's, and GB of training memory
PAPER = {
    "mask_1x": {"speed": 2.1, "memory": 4.4},
    "htc": {"speed": 1.0, "memory": 6.8},
    "r3_naive_inc": {"speed": 1.02, "memory": 5.9},
    "r3_advanced": {"speed": 0.19, "memory": 6.8},
}


def measure(
    out: Path,
    models: Sequence[str] | None,
    size: tuple[int, int],
    scale: str = "paper",
    steps: int = 10,
    images: int = IMAGES,
) -> str:
    """Measure the models in turn, add them to the file, and return its table.

    A model that the file has already is measured anew; those of another device or size are refused.
    """
    wanted = tuple(models or MODELS)
    known = load_catalogue().trainings
    for id_ in wanted:
        if id_ not in known:
            raise UserError(f"--models {id_}: unknown id; {choice(id_, known)}")
    content = _content(out, size, scale)
    pictures = Images(*size, images)
    found: dict[str, list[dict]] = {id_: [] for id_ in wanted}
    for number in range(ROUNDS):
        for id_ in wanted:
            cfg = config(id_, pictures, scale)
            found[id_].append({**training(cfg, steps), **evaluation(cfg)})
            log.info("round %d/%d, %s: %s", number + 1, ROUNDS, id_, found[id_][-1])
            content["models"][id_] = medians(found[id_])
            content["end"] = provenance.now()
            write_json(out, content)  # after each: a limit on time must not cost what was measured
    if "r3_advanced" in wanted:
        content["advanced"] = options(config("r3_advanced", pictures, scale))
        write_json(out, content)
    return render(content)


def _content(out: Path, size: tuple[int, int], scale: str) -> dict:
    origin = {
        "size": "x".join(map(str, size)),
        "scale": scale,
        "device": provenance.device_name(),
        "memory_of": "GPU tensors" if torch.cuda.is_available() else "the process",
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
    }
    earlier = read(out)
    for key in origin if "models" in earlier else ():
        if earlier.get(key) != origin[key]:
            raise UserError(
                f"{out}: {key}: found {earlier.get(key)}, this run has {origin[key]}; "
                "name another --out"
            )
    own = {"rows": {}, **origin, "provenance": provenance.record()}
    return {**own, "models": earlier.get("models", {}), **_kept(earlier)}


def _kept(earlier: dict) -> dict:
    return {key: earlier[key] for key in ("advanced",) if key in earlier}


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
    return {
        "step_seconds": step,
        "images_a_step": rounds[0]["images_a_step"],
        "images_per_second": 1 / image,
        "training_gib": max(one["memory_gib"] for one in rounds),
        "rounds": len(rounds),
    }


def forget() -> None:
    """Drop the former model, whose RoI head and taps hold each other, before memory is counted anew."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak() -> float:
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / GIB, 3)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB, 3)


# ------------------------------------------------------------------ the advanced model, faster


def options(cfg, rounds: int = 3) -> dict:
    """Prediction with the advanced model by each option over the direct form, all in float32 but bf16.

    Ratios of seconds an image; `difference`: matrix products against the direct form, TF32 off.
    """
    loops = [cfg.r3cnn.loops_trained]
    plain = predictor(cfg)
    direct = use_direct(predictor(cfg))
    last = use_direct(predictor(cfg)).to(memory_format=torch.channels_last)
    singles, whole = batches_of(cfg), batches_of(cfg, IMAGES)
    device = next(plain.parameters()).device.type

    def run(detector, batches) -> None:
        for data in batches:
            predict_batch(detector, data, loops)

    def halved() -> None:
        with torch.autocast(device, torch.bfloat16):
            run(direct, singles)

    ways = {
        "direct": lambda: run(direct, singles),
        "matrix products": lambda: run(plain, singles),
        "channels last": lambda: run(last, singles),
        "bf16 autocast": halved,
        "matrix products, all images in one pass": lambda: run(plain, whole),
    }
    with exact_convolutions():
        differing = advanced.difference(plain, lambda: run(plain, singles[:1]))
    use_direct(plain, False)
    times = in_turn(ways, rounds)
    return {
        "over_direct": {name: ratio(times, name, "direct") for name in ways},
        "difference": differing,
        "times": times,
    }


@contextmanager
def exact_convolutions():
    """Inside, a GPU's convolutions are in float32, without TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def render(content: dict) -> str:
    """One line a model, ratios to HTC beside the paper's."""
    models = content["models"]
    base = models.get(REFERENCE)
    lines = [
        f"{content['device']}, {content['size']}, scale {content['scale']}; memory of {content['memory_of']}",
        f"{'model':14} {'GiB':>7} {'paper':>6} {'s/step':>8} {'img/s':>8} {'/HTC':>6} {'paper':>6}",
    ]
    for id_, of in models.items():
        paper = PAPER.get(id_, {})
        relative = of["images_per_second"] / base["images_per_second"] if base else None
        cells = (relative, paper.get("speed"))
        shown = " ".join(f"{value:6.2f}" if value is not None else "     -" for value in cells)
        memory = paper.get("memory")
        lines.append(
            f"{id_:14} {of['training_gib']:7.2f} {memory if memory is not None else '-':>6} "
            f"{of['step_seconds']:8.3f} {of['images_per_second']:8.2f} {shown}"
        )
    for name, factor in content.get("advanced", {}).get("over_direct", {}).items():
        lines.append(f"r3_advanced, prediction, {name}: {factor:.3f} of the direct form's time")
    return "\n".join(lines)
