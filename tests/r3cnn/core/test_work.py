"""The share of a run's work and the time left, from what its jobs do."""

import pytest

from r3cnn.core.work import Work, lanes_end

COSTS = {1: 60.0, 2: 30.0, 3: 10.0}


class Run:
    """A clock, the work, and the lines that were said after each job."""

    def __init__(self, costs: dict[int, float]) -> None:
        self.now, self.said = 0.0, []
        self.work = Work(costs, lambda: self.now)

    def finish(self, job: int, now: float) -> None:
        self.now = now
        self.work.finish(job)
        if line := self.work.line():
            self.said.append(line)


def test_the_share_is_weighted_by_cost_and_a_job_at_work_counts_half():
    run = Run(COSTS)
    run.work.begin([2, 1])
    run.finish(2, 40.0)
    # 30 of 100 are done and half of the 60 at work: 60 in 40 s
    assert run.said == ["30% of the work, about 27 s left"]
    run.work.begin([3])
    run.finish(1, 90.0)
    assert run.said[1:] == ["90% of the work, about 5 s left"]
    run.finish(3, 100.0)
    assert run.said[2:] == ["100% of the work"]


def test_the_jobs_to_be_done_are_weighed_anew():
    """The check of the data is done and says how many images the trainings have."""
    run = Run({1: 10.0, 2: 900.0, 3: 90.0})
    run.work.finish(1)
    run.work.weigh({1: 5.0, 2: 9.0, 3: 1.0})
    run.finish(2, 20.0)
    assert run.said == ["95% of the work, about 1 s left"]


def test_no_time_before_anything_worth_it_is_done():
    run = Run({1: 1.0, 2: 99.0})
    run.finish(1, 5.0)
    assert run.said == ["1% of the work"]


def test_a_failed_job_is_not_at_work():
    run = Run(COSTS)
    run.work.begin([1, 2])
    run.work.fail(1)
    run.finish(2, 30.0)
    assert run.said == ["30% of the work, about 70 s left"]


def test_a_job_that_was_not_planned_and_an_empty_run_say_nothing():
    run = Run({})
    run.finish(7, 1.0)
    assert run.said == []


@pytest.mark.parametrize(
    ("running", "waiting", "end"),
    [([5, 2], [4, 1], 6), ([], [3, 4], 7), ([5], [], 5), ([], [], 0), ([0, 0], [3, 3, 2], 5)],
)
def test_as_many_at_a_time_as_now_the_longest_first(running, waiting, end):
    assert lanes_end(running, waiting) == end
