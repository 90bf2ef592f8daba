"""How much of a run's work is done, weighted by what its jobs cost, and how long the rest takes."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from .progress import duration

LEAST = 0.02  # of the work must be done before a time is named
HALF = 0.5  # what is taken to be done of a job at work


class Work(logging.Handler):
    """Listens to Snakemake's log and says after its jobs what share of the work is done, and the time left.

    costs: the cost of each job that is to run, by its id, in any unit.
    say: takes the line. clock: seconds.
    """

    def __init__(
        self,
        costs: Mapping[int, float],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.costs, self.say, self.clock = dict(costs), say, clock
        self.total = sum(self.costs.values())
        self.began, self.done, self.last = clock(), 0.0, ""
        self.at_work: set[int] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of jobs that start, end or fail; speak where Snakemake counts its jobs."""
        event = str(getattr(record, "event", ""))
        if event == "job_started":
            self.at_work.update(getattr(record, "jobs", ()))
        elif event == "job_error":
            self.at_work.discard(getattr(record, "jobid", -1))
        elif event == "job_finished":
            job = getattr(record, "job_id", -1)
            self.at_work.discard(job)
            self.done += self.costs.pop(job, 0.0)
        elif event == "progress" and (line := self.line()) != self.last:
            self.last = line
            self.say(line)

    def line(self) -> str:
        """The share of the work, and the time left by the pace so far; empty where there is nothing to do."""
        if not self.total:
            return ""
        if not self.costs:
            return "100% of the work"
        begun = HALF * sum(self.costs.get(job, 0.0) for job in self.at_work)
        share = (self.done + begun) / self.total
        said = f"{self.done / self.total:.0%} of the work"
        if self.done < LEAST * self.total:
            return said
        return f"{said}, about {duration((self.clock() - self.began) * (1 - share) / share)} left"


def lanes_end(running: Iterable[float], waiting: Iterable[float]) -> float:
    """Seconds until all is done where as many go on at a time as now, the longest first."""
    ends = sorted(running)
    for seconds in sorted(waiting, reverse=True):
        ends = sorted([ends[0] + seconds, *ends[1:]]) if ends else [seconds]
    return max(ends, default=0.0)
