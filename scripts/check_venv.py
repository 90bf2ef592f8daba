"""Checks a finished environment and says in one line what to do about what is wrong."""

import sys

from r3cnn.runs.doctor import examine
from r3cnn.runs.finding import BROKEN


def main() -> int:
    """Prints every fault of the environment; returns 1 if there is one."""
    faults = [finding for finding in examine() if finding.state == BROKEN]
    for fault in faults:
        print(f"setup: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
