"""When a training has to stop: signals, and the end of the process that started it."""

import atexit
import ctypes
import logging
import os
import signal
import sys
import threading
from types import FrameType

log = logging.getLogger(__name__)
TO_BE_CONTINUED = 85
CHECKPOINT_MINUTES = 10.0  # the longest time between two checkpoints
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
PR_SET_PDEATHSIG = 1  # of Linux's <sys/prctl.h>


class Interrupted(Exception):
    """A signal asked for an end; a checkpoint was written, the same command resumes from it."""


class StopRequest:
    """Remembers the signal that asked for an end; the training looks between two steps."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def listen(self) -> None:
        """Take SIGTERM and SIGUSR1 as a request, from now on."""
        for number in SIGNALS:
            signal.signal(number, self._remember)
        atexit.register(_ignore_signals)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)

    def __bool__(self) -> bool:
        return self.signal is not None


def _ignore_signals() -> None:
    """Python drops its handlers as it ends: a late signal would turn its exit code into a failure."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end_with_parent() -> None:
    """Have the kernel send SIGTERM when the process that started this one dies (Linux)."""
    if sys.platform != "linux":
        log.warning("%s: a training outlives the process that started it", sys.platform)
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew
        os.kill(os.getpid(), signal.SIGTERM)


def heed_parent_only(_worker: int = 0) -> None:
    """In a loader's worker: a signal to the whole job must not end it before the checkpoint is written.

    Its SIGTERM counts when the training sends it.
    """
    for number in {*SIGNALS, signal.SIGINT} - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_wait_for_parent, args=(os.getppid(),), daemon=True).start()


def _wait_for_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
