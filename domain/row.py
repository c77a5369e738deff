"""The task's row: the truth that objects and messages follow."""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.keys import OutputKeys


class Status(StrEnum):
    """Name the states of a task."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Tell whether the task has its outcome."""
        return self not in ACTIVE


ACTIVE = (Status.QUEUED, Status.RUNNING)
FINAL = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Row:
    """Read a row's attributes by name; `item` is the row as plain JSON values."""

    item: dict[str, Any]

    @property
    def id(self) -> str:
        """Return the task's id."""
        return str(self.item["id"])

    @property
    def submission_id(self) -> str:
        """Return the random name of the accepted submit."""
        return str(self.item["submission_id"])

    @property
    def status(self) -> Status:
        """Return the task's state."""
        return Status(self.item["status"])

    @property
    def runtime(self) -> str:
        """Return the runtime's name."""
        return str(self.item["runtime"])

    @property
    def fence(self) -> str | None:
        """Return the fence of the worker that holds the lease, or that finished."""
        return self.text("fence")

    @property
    def fences(self) -> frozenset[str]:
        """Return every fence that this submission has drawn."""
        return frozenset(self.item.get("fences") or ())

    @property
    def orphans(self) -> frozenset[str]:
        """Return the fences under which objects may lie that a finished row does not name.

        Delete them before the final callback, but for `images` and `output`: once `notified_at` is set,
        the id may be submitted again and nobody remembers this submission's fences.
        """
        return self.fences - ({self.fence} if self.status is Status.COMPLETED else set())

    @property
    def attempts(self) -> int:
        """Return how often the task was claimed and not given back unspent."""
        return int(self.item.get("attempts") or 0)

    @property
    def notified(self) -> bool:
        """Tell whether the final callback was sent."""
        return self.text("notified_at") is not None

    @property
    def cancel_requested(self) -> bool:
        """Tell whether a caller asked to cancel while the task ran."""
        return self.text("cancel_requested") is not None

    @property
    def keys(self) -> OutputKeys:
        """Return the names of the task's objects."""
        return OutputKeys(prefix=str(self.item["prefix"]), id=self.id)

    def text(self, name: str) -> str | None:
        """Return a text attribute, or None where the row has none."""
        value = self.item.get(name)
        return value if isinstance(value, str) else None


def draw_submission_id() -> str:
    """Return a fresh random name for an accepted submit."""
    return secrets.token_hex(8)


def draw_fence() -> str:
    """Return four random hex digits; the claim's condition refuses one that the row has used."""
    return secrets.token_hex(2)
