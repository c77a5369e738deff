"""Find the processes that a test started, by a mark in their environment, which child processes inherit."""

import time
from pathlib import Path

MARK_VARIABLE = "SD_ON_ECS_TEST_RUN"
EXIT_SECONDS = 20.0


def marked_processes(mark: str) -> list[int]:
    """Return the ids of the processes with this mark, except for zombies, whose environment is empty."""
    process_ids = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK_VARIABLE}={mark}".encode() in environment.read_bytes():
                process_ids.append(int(environment.parent.name))
        except OSError:
            continue  # the process has ended meanwhile, or belongs to another user
    return process_ids


def wait_until_all_exited(mark: str) -> None:
    """Wait until no process has this mark."""
    deadline = time.monotonic() + EXIT_SECONDS
    while running := marked_processes(mark):
        assert time.monotonic() < deadline, f"processes that still run: {running}"
        time.sleep(0.05)  # there is no event for the end of a process that is not a child
