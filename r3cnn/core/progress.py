"""Messages about long work: its progress, and the time that is left."""

import logging
import time

log = logging.getLogger(__name__)
SECONDS_BETWEEN_MESSAGES = 10
RESUME = (
    "run the same command to resume"  # how the last line of a command ends that a signal stopped
)


class Pace:
    """Says when it is time for the next message."""

    def __init__(self) -> None:
        self.began = self.spoke = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.monotonic() - self.began

    def due(self, last: bool = False) -> bool:
        """Whether some seconds have passed since the last message; always for the last one."""
        now = time.monotonic()
        if not last and now - self.spoke < SECONDS_BETWEEN_MESSAGES:
            return False
        self.spoke = now
        return True


class Progress:
    """Says every few seconds how many images are done and how long the rest will take."""

    def __init__(self, total: int, what: str = "") -> None:
        self.what, self.total, self.pace = what, total, Pace()

    def say(self, done: int) -> None:
        """Log the state, unless it was logged just now."""
        if not self.pace.due(last=done >= self.total):
            return
        left = (self.total - done) * self.pace.seconds / max(done, 1)
        log.info("%s%d/%d images, about %d s left", self.what, done, self.total, left)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 attempt, 2 attempts."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A time as a person reads it: 45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"
