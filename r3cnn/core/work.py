"""How much of a run's work is done, weighted by what its jobs cost, and how long the rest takes."""

import heapq
import time
from collections.abc import Callable, Iterable, Mapping

from .progress import duration

LEAST = 0.02  # of the work must be done before a time is named
HALF = 0.5  # what is taken to be done of a job at work


class Work:
    """The jobs of a run: those at work, and those still to be done.

    costs: the cost of each job that is to run, by its id, in any unit. clock: seconds.
    """

    def __init__(
        self, costs: Mapping[int, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.costs, self.clock = dict(costs), clock
        self.finished, self.began = 0.0, clock()
        self.at_work: set[int] = set()

    def begin(self, jobs: Iterable[int]) -> None:
        """These jobs start."""
        self.at_work.update(jobs)

    def fail(self, job: int) -> None:
        """This job ends and is still to be done."""
        self.at_work.discard(job)

    def finish(self, job: int) -> None:
        """This job is done; one that was not planned counts for nothing."""
        self.at_work.discard(job)
        self.finished += self.costs.pop(job, 0.0)

    def weigh(self, costs: Mapping[int, float]) -> None:
        """Other costs of the jobs to be done, now that more is known."""
        self.costs = {job: costs.get(job, cost) for job, cost in self.costs.items()}

    def line(self) -> str:
        """The share of the work, and the time left by the pace so far; empty where there is nothing to do."""
        total = self.finished + sum(self.costs.values())
        if not total:
            return ""
        if not self.costs:
            return "100% of the work"
        done = self.finished / total
        said = f"{done:.0%} of the work"
        if done < LEAST:
            return said
        share = done + HALF * sum(self.costs.get(job, 0.0) for job in self.at_work) / total
        return f"{said}, about {duration((self.clock() - self.began) * (1 - share) / share)} left"


def lanes_end(running: Iterable[float], waiting: Iterable[float]) -> float:
    """Seconds until all is done where as many go on at a time as now, or one, the longest first."""
    ends = sorted(running) or [0.0]  # a sorted list is a heap
    for seconds in sorted(waiting, reverse=True):
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends)
