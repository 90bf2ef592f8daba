"""Run calls in processes of their own, next to one another."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from ..core.errors import UserError

PROCESSES = 2


def side_by_side(calls: Sequence[tuple], processes: int) -> list:
    """What each call (function, arguments...) returns; in processes of their own if there are cores.

    Raises UserError where a process dies.
    """
    if min(processes, len(os.sched_getaffinity(0))) < PROCESSES:
        return [function(*given) for function, *given in calls]
    context = multiprocessing.get_context("spawn")  # a fork would stop in hotcoco's threads
    with ProcessPoolExecutor(processes, context) as pool:
        try:
            return [one.result() for one in [pool.submit(*call) for call in calls]]
        except BrokenProcessPool as error:
            raise UserError(
                "score: a process ended without a result, perhaps for lack of memory; free some memory, "
                "or give the job more"
            ) from error
