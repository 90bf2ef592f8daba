"""A training ends with the process that started it, and hears signals."""

import os
import signal
import subprocess
import sys
import time

import pytest

from r3cnn.training.stopping import StopRequest

CHILD = """
import sys, time
from r3cnn.training.stopping import end_with_parent
if sys.argv[1] == "bound":
    end_with_parent()
print("ready", flush=True)
time.sleep(60)
"""


ENDING = """
import sys
from unittest import mock
from r3cnn.cli.main import main
from r3cnn.config import load
from r3cnn.training import run as training, stopping
class Late:
    def __del__(self, write=__import__("os").write, sleep=__import__("time").sleep):
        write(1, b"ending\\n")
        sleep(2)
late = Late()
def run(*_):
    if sys.argv[1] == "85":
        raise stopping.Interrupted("a signal came")
mock.patch.object(load, "load_config").start()
mock.patch.object(training, "train", run).start()
main(["train", "--config", "c", "--out", "o", "--state", "s"])
"""


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal is Linux's")
@pytest.mark.parametrize("bound", ["bound", "free"])
def test_a_process_ends_when_its_parent_is_killed(repository, bound):
    """Under Snakemake the parent is a shell; the process that is not bound shows that the test can fail."""
    script = '"$0" -c "$1" "$2" & echo $!; wait'
    shell = subprocess.Popen(
        ["sh", "-c", script, sys.executable, CHILD, bound],
        cwd=repository, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    pid = int(shell.stdout.readline())
    try:
        assert shell.stdout.readline() == "ready\n"
        shell.kill()
        shell.wait()
        end = time.monotonic() + (5 if bound == "bound" else 0.5)
        while alive(pid) and time.monotonic() < end:
            time.sleep(0.02)
        assert alive(pid) == (bound == "free")
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_remembered(number):
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGUSR1)}
    stop = StopRequest()
    try:
        stop.listen()
        assert not stop
        os.kill(os.getpid(), number)
        assert stop
        assert stop.signal == number
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 85])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_while_python_ends_does_not_change_the_exit_code(repository, code, number):
    """Python drops its handlers before it tears its modules down, which takes seconds with torch."""
    child = subprocess.Popen(
        [sys.executable, "-c", ENDING, str(code)],
        cwd=repository, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout.readline() == "ending\n"
    child.send_signal(number)
    assert child.wait(60) == code
