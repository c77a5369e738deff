"""The row of an image task in DynamoDB: the authoritative state that objects and messages follow."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.canonical import compact_json
from domain.clock import iso
from domain.keys import OutputKeys
from domain.limits import QUEUE_RETENTION_DAYS


class Status(StrEnum):
    """The states of a task."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Return whether this status is an outcome."""
        return self not in ACTIVE


ACTIVE = (Status.QUEUED, Status.RUNNING)


class UnreadableRow(Exception):
    """A row lacks a required attribute or has an unknown status: a newer version or a person changed it."""


@dataclass(frozen=True, slots=True)
class Row:
    """Typed access to a row; `item` contains its attributes as plain JSON values.

    The properties raise UnreadableRow if the row lacks an attribute that every task has.
    """

    item: dict[str, Any]

    @property
    def id(self) -> str:
        """Return the task's id."""
        return self._required("id")

    @property
    def submission_id(self) -> str:
        """Return the random id of the accepted submit."""
        return self._required("submission_id")

    @property
    def status(self) -> Status:
        """Return the task's state; raise UnreadableRow if this version does not know it."""
        value = self.item.get("status")
        if value not in list(Status):
            raise UnreadableRow
        return Status(value)

    @property
    def runtime(self) -> str:
        """Return the runtime's name."""
        return self._required("runtime")

    @property
    def fence(self) -> str | None:
        """Return the fence of the worker that has the lease or that finished the task.

        A fence is a short random text that is new with each claim, and a part of the names of its objects.
        """
        return self.text("fence")

    @property
    def fences(self) -> frozenset[str]:
        """Return every fence that a claim of this submission has used."""
        return frozenset(self.item.get("fences") or ())

    @property
    def orphan_fences(self) -> frozenset[str]:
        """Return the fences whose objects may be orphaned.

        Delete those objects, except the ones in `images` and `output`, before the final callback is sent:
        once `notified_at` is set, the id can be submitted again, and then the list of fences is lost.
        """
        return self.fences - ({self.fence} if self.status is Status.COMPLETED else set())

    @property
    def attempts(self) -> int:
        """Return the number of claims, without those that were released without counting."""
        attempts = self.item.get("attempts")
        return attempts if isinstance(attempts, int) else 0

    @property
    def notified(self) -> bool:
        """Return whether the final callback was sent."""
        return self.text("notified_at") is not None

    def start_is_overdue(self, now: str) -> bool:
        """Return whether no GPU has taken the task by the time that its caller set."""
        start_by = self.text("start_by")  # removed when the task starts
        return start_by is not None and start_by < now

    @property
    def webhook_events(self) -> list[str]:
        """Return the events that are sent to the webhook of the task."""
        return self._links("webhook_events")

    @property
    def outputs_deleted(self) -> bool:
        """Return whether the caller deleted the objects of the finished task."""
        return self.text("outputs_deleted_at") is not None

    @property
    def cancel_requested(self) -> bool:
        """Return whether the caller asked to cancel while the task ran."""
        return self.text("cancel_requested") is not None

    @property
    def images(self) -> list[str]:
        """Return the links to the stored images."""
        return self._links("images")

    @property
    def other_images(self) -> list[str]:
        """Return the links to other stored images: grids, masks and maps."""
        return self._links("other_images")

    @property
    def keys(self) -> OutputKeys:
        """Return the S3 keys of the task's objects."""
        return OutputKeys(prefix=self._required("prefix"), id=self.id)

    def text(self, name: str) -> str | None:
        """Return a text attribute, or None if the row does not have it."""
        value = self.item.get(name)
        return value if isinstance(value, str) else None

    def _links(self, name: str) -> list[str]:
        links = self.item.get(name)
        return [link for link in links if isinstance(link, str)] if isinstance(links, list) else []

    def _required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise UnreadableRow
        return value


def status_attributes(runtime: str, status: Status) -> dict[str, Any]:
    """Return the attributes of a status.

    The index partition changes with the status, so that listing by status is a single query.
    """
    return {"status": status.value, "runtime_status": f"{runtime}#{status.value}"}


def pending_attributes(runtime: str, since: str) -> dict[str, Any]:
    """Return the attributes of a row whose message or callback has not been sent since a time.

    The sweep finds overdue rows in a sparse index over these attributes.
    """
    return {"pending_runtime": runtime, "pending_since": since}


def link_attributes(name: str, images: Sequence[str], max_bytes: int) -> dict[str, Any]:
    """Return the links that fit into `max_bytes`, and how many were left out, as attributes of a row."""
    kept: list[str] = []
    size = 0
    for uri in images:
        size += len(compact_json(uri)) + 1
        if size > max_bytes:
            break
        kept.append(uri)
    left_out = len(images) - len(kept)
    return {name: kept} | ({f"{name}_left_out": left_out} if left_out else {})


def is_expired(row: Row, now: datetime) -> bool:
    """Return whether an active task is older than the retention time of its queue."""
    return (row.text("submitted_at") or "") < iso(now - timedelta(days=QUEUE_RETENTION_DAYS))


def new_submission_id() -> str:
    """Return a new random id for an accepted submit."""
    return secrets.token_hex(8)


def new_fence() -> str:
    """Return four random hex digits; `claim` refuses a fence that the row has used before."""
    return secrets.token_hex(2)
