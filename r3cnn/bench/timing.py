"""Time two or more ways in turn: A B A B, medians; the median of two rounds is their mean."""

import gc
import logging
import statistics
import time
from collections.abc import Callable, Mapping

import torch

log = logging.getLogger(__name__)


def in_turn(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: bool = True,
    prepare: Callable[[], object] = lambda: None,
) -> dict:
    """Seconds and CPU seconds of each way, {way: {"seconds": [...], "cpu_seconds": [...]}}.

    warm_up: run each once before, unless that was done. prepare: runs before each of them, outside of the
    clock, for ways that change what they work on. On a GPU the clock waits for the device.
    """
    if warm_up:
        for way in ways.values():
            prepare()
            way()
    found = {name: {"seconds": [], "cpu_seconds": []} for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            prepare()
            gc.collect()
            wait()
            begin, busy = time.perf_counter(), time.process_time()
            way()
            wait()
            found[name]["seconds"].append(round(time.perf_counter() - begin, 6))
            found[name]["cpu_seconds"].append(round(time.process_time() - busy, 6))
            log.info(
                "round %d/%d, %s: %.3f s", number + 1, rounds, name, found[name]["seconds"][-1]
            )
    return found


def wait() -> None:
    """Let the GPU finish what was asked of it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def ratio(times: dict, one: str, other: str, what: str = "seconds") -> float:
    """The median of one way over the median of the other."""
    return statistics.median(times[one][what]) / statistics.median(times[other][what])


def row(what: str, against: str, times: dict, aim: float | None = None, **more: object) -> dict:
    """A row of the table: the first way of `times` over the second."""
    one, other = list(times)[:2]
    return {
        "what": what,
        "against": against,
        "aim": aim,
        "ratio": ratio(times, one, other),
        "cpu_ratio": ratio(times, one, other, "cpu_seconds"),
        "times": times,
        **more,
    }
