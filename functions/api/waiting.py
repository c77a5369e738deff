"""Wait until a task has changed or ended, so that a caller needs one request instead of many."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.table import Table
from domain.canonical import compact_json
from domain.errors import Fault
from domain.row import Row
from functions.api.request_errors import invalid_parameters, task_not_found

MAX_SECONDS: Final = 25
"""API Gateway answers by itself after 29 seconds, and the function may have to start first."""

DEFAULT_SECONDS: Final = 20
CHECK_SECONDS: Final = 1.0
"""How often the row is read. A read costs $0.125 per million for each 4 KB of the row, which holds the whole
message (up to 256 KB) while its task is queued; for small rows, the function's time costs far more."""

ANY_TAG: Final = "*"
"""In a header If-None-Match, it matches whatever state a task has."""

_TAGGED_ATTRIBUTES: Final = (
    "submission_id",
    "status",
    "progress",
    "attempts",
    "published_at",
    "cancel_requested",
    "start_by",
    "started_at",
    "finished_at",
    "outputs_deleted_at",
    "error",
)


def etag(row: Row) -> str:
    """Return the entity tag of a task's state and progress, on which links and position have no effect."""
    state = compact_json([row.item.get(name) for name in _TAGGED_ATTRIBUTES])
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:32]}"'


def seconds_to_wait(parameters: dict[str, list[str]]) -> int:
    """Return the parameter `seconds`; raise InvalidTask (400)."""
    faults = [
        Fault(name, "unknown parameter; the only one is seconds") for name in parameters if name != "seconds"
    ]
    values = parameters.get("seconds", [str(DEFAULT_SECONDS)])
    text = values[0]
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else 0
    if len(values) > 1 or not 1 <= seconds <= MAX_SECONDS:
        faults.append(Fault("seconds", f"a whole number from 1 to {MAX_SECONDS} is expected, once"))
    if faults:
        raise invalid_parameters(faults)
    return seconds


def parse_entity_tags(header: str | None) -> set[str]:
    """Return the entity tags in a header If-None-Match, or `ANY_TAG`; a weak tag means the same."""
    return {tag.strip().removeprefix("W/") for tag in (header or "").split(",") if tag.strip()}


@dataclass(frozen=True, slots=True)
class WaitedTask:
    """A task after the wait; `unchanged` is True if the caller knows its state already."""

    row: Row
    unchanged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWaiter:
    """Waits for tasks; `sleep` pauses between two reads."""

    table: Table
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def __call__(self, task_id: str, *, seconds: int, known_tags: set[str]) -> WaitedTask:
        """Return the task when the task has ended or, with `known_tags`, when its state has none of them.

        After `seconds`, return the task as it is, with `known_tags` as unchanged; raise InvalidTask (404).
        """
        deadline = self.clock() + seconds
        while True:
            row = self.table.get(task_id)
            if row is None:
                raise task_not_found(task_id)
            if known_tags:
                if known_tags.isdisjoint((ANY_TAG, etag(row))):
                    return WaitedTask(row)
            elif row.status.final:
                return WaitedTask(row)
            seconds_left = deadline - self.clock()
            if seconds_left <= 0:
                return WaitedTask(row, unchanged=bool(known_tags))
            self.sleep(min(CHECK_SECONDS, seconds_left))
