"""One writer for a state folder: who holds it, who takes it over, and who is turned away."""

import json
import logging
import multiprocessing
import os
import signal
import time

import pytest

from r3cnn.core.errors import UserError
from r3cnn.training import lease

BEAT = 0.1
FORK = multiprocessing.get_context("fork")


def facts(folder) -> dict:
    newest = max(folder.glob("lease-*.json"), key=lambda path: int(path.stem[6:]))
    return json.loads(newest.read_text())


def holder(folder, ready, beat=BEAT) -> None:
    with lease.hold(folder, beat):
        ready.set()
        time.sleep(60)


@pytest.fixture
def another(tmp_path):
    """Another process that holds the lease; killed at the end."""
    ready = FORK.Event()
    process = FORK.Process(target=holder, args=(tmp_path, ready))
    process.start()
    assert ready.wait(10)
    yield process
    process.kill()
    process.join()


def test_a_lease_names_its_owner_beats_and_is_released(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with lease.hold(tmp_path, BEAT) as held:
        first = facts(tmp_path)
        assert first["pid"] == os.getpid()
        assert first["job"] == "4711"
        assert first["host"]
        until(lambda: facts(tmp_path)["beats"] > first["beats"] + 1)
        held.require()
    assert facts(tmp_path)["released"]
    with lease.hold(tmp_path, BEAT):
        assert not facts(tmp_path)["released"]
        assert [path.name for path in tmp_path.iterdir()] == ["lease-2.json"]


def test_a_second_writer_stops_and_names_the_first(tmp_path, another):
    with pytest.raises(UserError) as caught, lease.hold(tmp_path, BEAT):
        pass
    assert f"process {another.pid} on " in str(caught.value)
    assert "run the same command again" in str(caught.value)
    assert facts(tmp_path)["pid"] == another.pid


def test_a_second_writer_waits_for_one_that_is_leaving(tmp_path, another):
    signal.signal(signal.SIGALRM, lambda *_: another.kill())
    signal.setitimer(signal.ITIMER_REAL, BEAT)
    with lease.hold(tmp_path, BEAT):
        assert facts(tmp_path)["pid"] == os.getpid()


def test_a_dead_owner_is_taken_over_at_once(tmp_path, another, caplog):
    another.kill()
    another.join()
    began = time.monotonic()
    with caplog.at_level(logging.WARNING), lease.hold(tmp_path, beat=30):
        assert time.monotonic() - began < 5
        assert f"taking over from process {another.pid}" in caplog.text
        assert "which is dead" in caplog.text


def test_a_dead_owner_whose_number_was_given_again_is_taken_over(tmp_path):
    with lease.hold(tmp_path, BEAT):
        pass
    abandoned = facts(tmp_path) | {"released": False, "started": 1}
    (tmp_path / "lease-1.json").write_text(json.dumps(abandoned))
    with lease.hold(tmp_path, beat=30):
        assert facts(tmp_path)["started"] != 1


def test_a_silent_owner_on_another_host_is_taken_over(tmp_path, caplog):
    with lease.hold(tmp_path, BEAT):
        pass
    elsewhere = facts(tmp_path) | {"released": False, "host": "node7", "place": "another boot"}
    (tmp_path / "lease-1.json").write_text(json.dumps(elsewhere))
    began = time.monotonic()
    with caplog.at_level(logging.WARNING), lease.hold(tmp_path, BEAT):
        assert lease.SILENT_BEATS * BEAT <= time.monotonic() - began < 10
        assert "on node7" in caplog.text
        assert "which is silent" in caplog.text


def test_a_living_owner_on_another_host_is_not(tmp_path, another):
    path = tmp_path / "lease-1.json"
    mine = "the same file system, seen from another host"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "_place", lambda: mine)
        with pytest.raises(UserError, match="is training here"), lease.hold(tmp_path, BEAT):
            pass
    assert path.exists()


def test_a_stopped_owner_that_wakes_up_finds_that_it_was_replaced(tmp_path, another):
    os.kill(another.pid, signal.SIGSTOP)
    with lease.hold(tmp_path, BEAT):
        os.kill(another.pid, signal.SIGCONT)
        time.sleep(4 * BEAT)  # it beats again, in its own file
        assert facts(tmp_path)["pid"] == os.getpid()
        old = lease.Lease(tmp_path, 1, BEAT)
        with pytest.raises(UserError, match=f"process {os.getpid()} on .* took this training over"):
            old.require()


def sleeper(folder, ready, woken, results) -> None:
    """An owner that says, each time it is asked, whether it still holds the folder."""
    with lease.hold(folder, BEAT) as held:
        ready.set()
        assert woken.wait(60)
        try:
            held.require()
            results.put((os.getpid(), "holds"))
        except UserError as error:
            results.put((os.getpid(), str(error)))
        time.sleep(60)


def test_an_owner_that_slept_through_two_successors_leaves(tmp_path):
    """A sleeps, B takes over and ends, C takes over, A wakes: only C holds the folder."""
    results, asked = FORK.Queue(), FORK.Event()
    started = [FORK.Event(), FORK.Event()]
    first, third = (
        FORK.Process(target=sleeper, args=(tmp_path, ready, asked, results)) for ready in started
    )
    try:
        first.start()
        assert started[0].wait(10)
        os.kill(first.pid, signal.SIGSTOP)
        with lease.hold(tmp_path, BEAT):
            assert facts(tmp_path)["pid"] == os.getpid()
        third.start()
        assert started[1].wait(20)
        os.kill(first.pid, signal.SIGCONT)
        asked.set()
        found = dict(results.get(timeout=20) for _ in range(2))
    finally:
        for process in (first, third):
            process.kill()
            process.join()
    assert found[third.pid] == "holds"
    assert "lease-3.json" in found[first.pid]
    assert f"process {third.pid} on " in found[first.pid]


def test_a_number_that_was_used_before_is_not_taken_again(tmp_path):
    """Who chose the number 2, slept, and wakes when 2 has come and gone."""
    for _ in range(3):
        with lease.hold(tmp_path, BEAT):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["lease-3.json"]
    assert lease._create(tmp_path, 2, BEAT) is None
    assert [path.name for path in tmp_path.iterdir()] == ["lease-3.json"]


def test_an_owner_that_died_before_it_wrote_its_name_is_taken_over(tmp_path):
    (tmp_path / "lease-3.json").touch()
    with lease.hold(tmp_path, BEAT):
        assert (tmp_path / "lease-4.json").exists()
        assert not (tmp_path / "lease-3.json").exists()


def contender(folder, go, results) -> None:
    go.wait(10)
    try:
        with lease.hold(folder, 0.5):
            results.put("held")
            time.sleep(4)
    except UserError:
        results.put("refused")


def test_of_many_at_once_one_holds_the_lease(tmp_path):
    """A dead owner, and eight that want its place at the same moment."""
    (tmp_path / "lease-1.json").write_text(
        json.dumps({"place": lease._place(), "pid": 2**22 + 1, "started": 1, "host": "h", "job": None,
                    "since": "then", "released": False})
    )  # fmt: skip
    go, results = FORK.Event(), FORK.Queue()
    processes = [FORK.Process(target=contender, args=(tmp_path, go, results)) for _ in range(8)]
    for process in processes:
        process.start()
    go.set()
    found = [results.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(found) == ["held", *["refused"] * 7]


def until(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
