"""Calls in processes of their own, and what is told of one that ends badly."""

import os

import pytest

from r3cnn.core.errors import UserError
from r3cnn.evaluation.side_by_side import side_by_side


def dies() -> None:
    """What the kernel does to a process that takes too much memory."""
    os._exit(1)


def refuses(kind: str) -> None:
    raise UserError(f"{kind}: refused")


def test_calls_run_in_processes_of_their_own_where_there_are_cores(monkeypatch):
    calls = [(os.getpid,), (max, 3, 4)]
    for cores, processes, apart in ((2, 2, True), (2, 1, False), (1, 2, False)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        pid, larger = side_by_side(calls, processes)
        assert larger == 4
        assert (pid != os.getpid()) is apart


def test_a_process_that_dies_or_refuses_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(UserError, match="perhaps for lack of memory") as caught:
        side_by_side([(dies,)], 2)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"^bbox: refused$"):
        side_by_side([(refuses, "bbox")], 2)
