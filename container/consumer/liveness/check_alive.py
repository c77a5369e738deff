"""The container's health check: exit 1 if the consumer's heartbeat has stopped.

ECS runs it in the consumer's container every half minute, so it uses the standard library only. It is a
separate process, because a process that is frozen, or in which one thread keeps the interpreter's lock,
cannot report on itself.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# `domain.limits.VISIBILITY_SECONDS`: without a heartbeat for this time, another worker may claim the tasks.
DEFAULT_LEASE_SECONDS: Final = 120


def fault(environment: Mapping[str, str], *, now: float) -> str | None:
    """Return why the consumer counts as dead at the time `now`, or None if its heartbeat is recent."""
    mark = environment.get("HEARTBEAT_FILE")
    if not mark:
        return "no heartbeat: HEARTBEAT_FILE is not set"
    lease_seconds = int(environment.get("VISIBILITY_SECONDS") or DEFAULT_LEASE_SECONDS)
    try:
        age = now - Path(mark).stat().st_mtime
    except OSError as error:
        return f"no heartbeat: {error}"
    return f"the last heartbeat was {age:.0f} s ago" if age > lease_seconds else None


if __name__ == "__main__":
    sys.exit(fault(os.environ, now=time.time()))
