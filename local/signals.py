"""Exit in an orderly way when the process is asked to end."""

import signal
import sys
from types import FrameType


def exit_on_signal() -> None:
    """Turn SIGTERM and SIGHUP into an exit that runs all `finally` blocks, as Ctrl-C does by default."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)


def _exit(number: int, _frame: FrameType | None) -> None:
    # Further signals must not interrupt the cleanup. `local.watchdog` stops children that it leaves behind.
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)
