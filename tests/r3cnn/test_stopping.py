"""A training ends with the process that started it, and hears signals."""

import os
import signal
import subprocess
import sys
import time

import pytest

from r3cnn.stopping import StopRequest

CHILD = """
import sys, time
from r3cnn.stopping import end_with_parent
if sys.argv[1] == "bound":
    end_with_parent()
print("ready", flush=True)
time.sleep(60)
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
