"""Kill what a Python process started, should that process itself be killed.

Context managers stop children on success, on failure and on Ctrl-C; after `kill -9` nothing of a process
runs. So one small process stands by: it is told which process groups were started and which were stopped, and
when the pipe to it closes (its owner is gone, however that came about) it ends what is left. Linux's
parent-death signal would do less: it knows neither process groups nor threads.
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL: nobody is left to read what a child would still say


class Guard:
    """Tell the standing-by process what to end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def watch(self, group: int) -> None:
        """End this process group when the present process is gone."""
        self._tell(f"+{group}")

    def release(self, group: int) -> None:
        """Forget a process group that has ended."""
        self._tell(f"-{group}")

    def watch_folder(self, folder: Path) -> None:
        """Remove this folder when the present process is gone."""
        self._tell(f"/{folder}")

    def close(self) -> None:
        """End the standing-by process, and with it what it still watches."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                # -I: it needs nothing of the environment. Its own session: Ctrl-C passes it by.
                self._process = subprocess.Popen(
                    [sys.executable, "-I", __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                    text=True,
                )
                atexit.register(self.close)
            if self._process.stdin is not None:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()


def stand_by(lines: Iterable[str]) -> None:
    """Read what to watch until the pipe closes, then end the rest."""
    groups: set[int] = set()
    folders: set[Path] = set()
    for line in lines:
        sign, value = line[:1], line[1:].rstrip("\n")
        if sign == "+":
            groups.add(int(value))
        elif sign == "-":
            groups.discard(int(value))
        else:
            folders.add(Path(value))
    if groups:
        _signal(groups, signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        _signal(groups, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _signal(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


guard = Guard()
"""One for each Python process."""

if __name__ == "__main__":
    stand_by(sys.stdin)
