"""Find the processes of a run by a word in their environment, which child processes inherit."""

import time
from pathlib import Path

MARK = "SD_ON_ECS_TEST_RUN"
GONE_SECONDS = 20.0


def marked(mark: str) -> list[int]:
    """Return the processes with the word, except for zombies."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def wait_until_gone(mark: str) -> None:
    """Wait until no process has the word."""
    deadline = time.monotonic() + GONE_SECONDS
    while left := marked(mark):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)  # another process's end is no event for us
