"""Exit in an orderly way when the process is asked to end."""

import signal
import sys
from types import FrameType


def exit_when_told() -> None:
    """Turn SIGTERM and SIGHUP into an exit that runs every `finally` block, as Ctrl-C does by default."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)


def _exit(number: int, _frame: FrameType | None) -> None:
    # Further signals must not interrupt the cleanup; the guard stops whatever would be left.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)
