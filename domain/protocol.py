"""The state protocol: every change of a row, with the conditions under which it may happen.

Each function that changes a row returns a `Transition`. No condition can be left out without breaking a
guarantee of the protocol: `tests/model/` proves it for each.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from domain.clock import iso, iso_after, parse
from domain.conditions import Absent, AnyOf, Below, Condition, Lacks, OneOf, equals
from domain.errors import ErrorCode, cancelled_error, outcome_error, shorten_error
from domain.limits import (
    MAX_ATTEMPTS,
    MAX_IMAGES_BYTES,
    MAX_OTHER_IMAGES_BYTES,
    RESUBMIT_SECONDS,
    ROW_DAYS,
)
from domain.message import Message
from domain.row import ACTIVE, Row, Status, link_attributes, pending_attributes, status_attributes
from domain.transition import Transition

PENDING = ("pending_runtime", "pending_since")
"""Attributes that are present while a message or a callback has not been sent."""


def _active_conditions(submission_id: str) -> tuple[Condition, ...]:
    return (equals("submission_id", submission_id), OneOf("status", tuple(s.value for s in ACTIVE)))


def _no_live_lease(now: datetime) -> Condition:
    return AnyOf((Absent("lease_until"), Below("lease_until", iso(now))))


def _fence_conditions(row: Row) -> tuple[Condition, ...]:
    """Return the conditions that the row still has this fence and no outcome."""
    return (*_active_conditions(row.submission_id), equals("fence", row.fence))


def new_row(message: Message, *, digest: str, now: datetime) -> dict[str, Any]:
    """Return the row of a new submission, which contains the message until the task has ended.

    `digest` is computed from the task with its whole content, which the message may only refer to.
    """
    task = message.task
    # A publisher may send any time; a task with a future one would never be swept.
    submitted_at = min(message.submitted_at, iso(now))
    item: dict[str, Any] = {
        "id": task.id,
        "submission_id": message.submission_id,
        "runtime": task.runtime,
        "tasktype": str(task.tasktype),
        "prefix": task.prefix,
        "context": task.context,
        "digest": digest,
        "api_version": task.api_version,
        "uid": task.uid,
        "group": message.group,
        "submitted_at": submitted_at,
        "submitted_at_id": f"{submitted_at}#{task.id}",
        "progress": 0,
        "attempts": 0,
        "message": message.encode(),
        "expires_at": int((now + timedelta(days=ROW_DAYS)).timestamp()),
    }
    if task.webhook is not None:
        item["webhook_events"] = list(task.webhook.events)
    if task.start_within_seconds is not None:
        item["start_by"] = iso_after(parse(submitted_at), task.start_within_seconds)
    item |= pending_attributes(task.runtime, submitted_at)
    return item | status_attributes(task.runtime, Status.QUEUED)


def submit(item: Mapping[str, Any]) -> Transition:
    """Create the row of an id that has none."""
    return Transition("submit", (Absent("id"),), set=item, replace=True)


def resubmit(item: Mapping[str, Any], previous: Row) -> Transition:
    """Replace a finished row by a new submission, which is allowed only after its callback was sent.

    Otherwise the callback would be lost. Only finished rows have `notified_at`, and they keep it until they
    are replaced, so it is enough to check that the row is still the submission of `previous`.
    """
    if not previous.notified:
        raise ValueError("a submission is replaced only after its callback was sent")
    return Transition("resubmit", (equals("submission_id", previous.submission_id),), set=item, replace=True)


def mark_published(row: Row, now: datetime) -> Transition:
    """Record that the message was published (again).

    This is allowed only while the task is active: a finished row has a pending callback, which a late write
    would hide. A task that must start by some time stays in the index of overdue rows, in which the sweep
    finds it at that time.
    """
    start_by = row.text("start_by")
    return Transition(
        "mark_published",
        _active_conditions(row.submission_id),
        set={"published_at": iso(now)} | (pending_attributes(row.runtime, start_by) if start_by else {}),
        remove=() if start_by else PENDING,
    )


def claim(row: Row, *, worker: str, fence: str, seconds: float, now: datetime) -> Transition:
    """Give the worker the lease if no live one exists, attempts are left, and the fence is new to the row.

    The row returns to `queued`, whatever its status was under the previous worker.
    """
    return Transition(
        "claim",
        (
            *_active_conditions(row.submission_id),
            _no_live_lease(now),
            Below("attempts", MAX_ATTEMPTS),
            Lacks("fences", fence),
        ),
        set={"worker": worker, "fence": fence, "lease_until": iso_after(now, seconds), "progress": 0}
        | status_attributes(row.runtime, Status.QUEUED),
        remove=("started_at",),
        add={"attempts": 1},
        add_to_sets={"fences": fence},
    )


def replace_fence(row: Row, *, fence: str) -> Transition:
    """Replace the fence, because an object with a key of the first one already exists."""
    return Transition(
        "replace_fence",
        (*_fence_conditions(row), Lacks("fences", fence)),
        # `worker` is set again so that `is_already_applied` does not take another worker's claim with the
        # same fence for this write.
        set={"fence": fence, "worker": row.item.get("worker")},
        add_to_sets={"fences": fence},
    )


def renew(row: Row, *, seconds: float, now: datetime, progress: float | None = None) -> Transition:
    """Renew the lease, and write the progress of the running job with it."""
    values: dict[str, Any] = {"lease_until": iso_after(now, seconds)}
    if progress is not None:
        values["progress"] = progress
    return Transition("renew", _fence_conditions(row), set=values)


def start(row: Row, *, seconds: float, now: datetime) -> Transition:
    """Mark the task as running just before the inference request is sent; refused after a cancel."""
    return Transition(
        "start",
        (
            equals("submission_id", row.submission_id),
            equals("fence", row.fence),
            equals("status", Status.QUEUED.value),
            Absent("cancel_requested"),
        ),
        set={"started_at": iso(now), "lease_until": iso_after(now, seconds)}
        | status_attributes(row.runtime, Status.RUNNING),
        # The task has started in time, so it is also finished if another attempt is needed.
        remove=("start_by",),
    )


def release(row: Row, *, count_attempt: bool, last_error: Mapping[str, str] | None = None) -> Transition:
    """Return the task to its queue for another worker; refused if a cancel was requested.

    `last_error` is the retryable error (code, message) that caused the release.
    """
    return Transition(
        "release",
        (*_fence_conditions(row), Absent("cancel_requested")),
        set={"progress": 0}
        | ({"last_error": shorten_error(last_error)} if last_error else {})
        | status_attributes(row.runtime, Status.QUEUED),
        remove=("worker", "lease_until", "fence", "started_at"),
        add={} if count_attempt else {"attempts": -1},
    )


def finish(
    row: Row,
    status: Status,
    *,
    now: datetime,
    images: Sequence[str] = (),
    other_images: Sequence[str] = (),
    output: str | None = None,
    error: Mapping[str, str] | None = None,
) -> Transition:
    """Write the outcome; the first final write wins."""
    return _final_transition(
        "finish",
        _fence_conditions(row),
        row,
        status,
        now=now,
        images=images,
        other_images=other_images,
        output=output,
        error=error,
    )


def _final_transition(
    name: str,
    conditions: tuple[Condition, ...],
    row: Row,
    status: Status,
    *,
    now: datetime,
    images: Sequence[str] = (),
    other_images: Sequence[str] = (),
    output: str | None = None,
    error: Mapping[str, str] | None = None,
) -> Transition:
    values: dict[str, Any] = {
        "finished_at": iso(now),
        **link_attributes("images", images, MAX_IMAGES_BYTES),
        **(link_attributes("other_images", other_images, MAX_OTHER_IMAGES_BYTES) if other_images else {}),
        "output": output,
        "error": shorten_error(error) if error else None,
        "expires_at": int((now + timedelta(days=ROW_DAYS)).timestamp()),
        **pending_attributes(row.runtime, iso(now)),
    }
    if status is Status.COMPLETED:
        values["progress"] = 1
    return Transition(
        name,
        conditions,
        set=values | status_attributes(row.runtime, status),
        remove=("lease_until", "message"),
    )


def notify(row: Row, now: datetime) -> Transition:
    """Record that the callback of a finished row was sent (at least once, because sending comes first)."""
    conditions = (equals("submission_id", row.submission_id), Absent("notified_at"))
    return Transition("notify", conditions, set={"notified_at": iso(now)}, remove=PENDING)


def record_output_deletion(finished: Row, now: datetime) -> Transition:
    """Record that the objects of a finished task were deleted, and remove the links to them.

    This is allowed only after the callback was sent, which names them. Only finished rows have
    `notified_at`, so it is enough to check that the row is still this submission.
    """
    if not finished.notified:
        raise ValueError("outputs are deleted only after the callback was sent")
    return Transition(
        "record_output_deletion",
        (equals("submission_id", finished.submission_id),),
        set={"outputs_deleted_at": iso(now), "images": [], "other_images": [], "output": None},
        remove=("images_left_out", "other_images_left_out"),
    )


def cancel_queued(row: Row, now: datetime) -> Transition:
    """Cancel a task that is not running; a worker that is preparing it notices at its next write."""
    return _final_transition(
        "cancel_queued",
        (equals("submission_id", row.submission_id), equals("status", Status.QUEUED.value)),
        row,
        Status.CANCELLED,
        now=now,
        error=cancelled_error(),
    )


def request_cancel(row: Row, now: datetime) -> Transition:
    """Ask the worker to stop; it reads the request in the response to its next heartbeat."""
    return Transition(
        "request_cancel",
        (equals("submission_id", row.submission_id), equals("status", Status.RUNNING.value)),
        set={"cancel_requested": iso(now)},
    )


def end_unclaimed(row: Row, *, now: datetime, code: ErrorCode, message: str) -> Transition:
    """End a task that no worker will finish, if there is no live lease; the code `cancelled` cancels it."""
    return _final_transition(
        "end_unclaimed",
        (
            *_active_conditions(row.submission_id),
            _no_live_lease(now),
        ),
        row,
        Status.CANCELLED if code is ErrorCode.CANCELLED else Status.FAILED,
        now=now,
        error=outcome_error(code, message),
    )


def is_repeated_submit(row: Row, digest: str, now: datetime) -> bool:
    """Return whether a submit with the given digest returns the existing row instead of a new submission."""
    if row.text("digest") != digest:
        return False
    finished_at = row.text("finished_at") or ""
    return not row.status.final or finished_at > iso(now - timedelta(seconds=RESUBMIT_SECONDS))
