"""Stop the children of a Python process if that process is killed.

Context managers stop children on success, on failure and on Ctrl-C, but not after `kill -9`. Therefore each
process group that starts or stops is reported to a small watchdog process. When the pipe to it closes,
because its owner has ended in whatever way, it stops the groups that are left. Linux's parent-death signal
would not be enough, because it does not apply to process groups and is tied to the thread that started the
child.
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

GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL


class Watchdog:
    """Registers process groups and folders with the watchdog process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def watch(self, group: int) -> None:
        """Stop this process group when the current process has ended."""
        self._send(f"+{group}")

    def release(self, group: int) -> None:
        """Forget a process group that has ended."""
        self._send(f"-{group}")

    def watch_folder(self, folder: Path) -> None:
        """Remove this folder when the current process has ended."""
        self._send(f"/{folder}")

    def close(self) -> None:
        """End the watchdog process, which stops everything that is still registered."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()

    def _send(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                # A separate session, so that Ctrl-C does not reach it.
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


def run(lines: Iterable[str]) -> None:
    """Read registrations until the pipe closes, then stop the process groups and remove the folders."""
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


watchdog = Watchdog()
"""The watchdog of this Python process."""

if __name__ == "__main__":
    run(sys.stdin)
