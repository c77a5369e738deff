"""End in order when asked to."""

import signal
import sys
from types import FrameType


def exit_when_told() -> None:
    """Turn SIGTERM and SIGHUP into an exit that runs every `finally`, as Ctrl-C does by itself."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)


def _exit(number: int, _frame: FrameType | None) -> None:
    # A second one while things stop must not break the stopping; the guard ends what would be left.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)
