"""The state protocol: every change of a row, with the conditions under which it may happen.

Each function returns a `Transition`. Leaving out any one of the conditions breaks what the protocol
promises: `tests/protocol/` shows it for each.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from domain.canonical import compact
from domain.clock import iso, later
from domain.conditions import Absent, AnyOf, Below, Condition, Lacks, OneOf, equals
from domain.errors import ErrorCode, cancelled_error, cut_error, outcome_error
from domain.limits import MAX_ATTEMPTS, MAX_IMAGES_BYTES, QUEUE_RETENTION_DAYS, RESUBMIT_SECONDS, ROW_DAYS
from domain.message import Message
from domain.row import ACTIVE, Row, Status
from domain.transition import Transition

WORKERS_OWN = ("worker", "lease_until")
"""What a worker leaves behind when it lets go of a row."""

PENDING = ("pending_runtime", "pending_since")
"""Present while a message or a callback is yet to be sent."""


def _status(runtime: str, status: Status) -> dict[str, Any]:
    # The index partition moves with the status, so that a list by status is one query.
    return {"status": status.value, "runtime_status": f"{runtime}#{status.value}"}


def _owed(runtime: str, since: str) -> dict[str, Any]:
    # From submit to published and from the outcome to its callback: a sparse index over it shows the sweep
    # what nobody did.
    return {"pending_runtime": runtime, "pending_since": since}


def _active(submission_id: str) -> tuple[Condition, ...]:
    return (equals("submission_id", submission_id), OneOf("status", tuple(s.value for s in ACTIVE)))


def _held(row: Row) -> tuple[Condition, ...]:
    """Hold only for the worker whose fence the row carries, and only before the outcome."""
    return (*_active(row.submission_id), equals("fence", row.fence))


def new_row(message: Message, *, digest: str, now: datetime) -> dict[str, Any]:
    """Return the row of a fresh submission, with the message in it until it is finished.

    `digest` is that of the task with its whole content: the message may hold a reference instead.
    """
    task = message.task
    # Whoever publishes may date a message as they like: one from the future would never be swept.
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
        "submitted_at": submitted_at,
        "submitted_at_id": f"{submitted_at}#{task.id}",
        "progress": 0,
        "attempts": 0,
        "message": message.encode(),
        "expires_at": int((now + timedelta(days=ROW_DAYS)).timestamp()),
    }
    if task.uid is not None:
        item["uid"] = task.uid
    return item | _owed(task.runtime, submitted_at) | _status(task.runtime, Status.QUEUED)


def submit(item: Mapping[str, Any]) -> Transition:
    """Write the row of an id that has none."""
    return Transition("submit", (Absent("id"),), set=item, replace=True)


def resubmit(item: Mapping[str, Any], previous: Row) -> Transition:
    """Replace a finished row by a new submission; only once its callback was sent, or it would be lost.

    Only finished rows are ever told, and a told row stays told until it is replaced: that it is still the
    submission of `previous` says all.
    """
    if not previous.notified:
        raise ValueError("a submission is replaced only after its callback was sent")
    return Transition("resubmit", (equals("submission_id", previous.submission_id),), set=item, replace=True)


def mark_published(row: Row, now: datetime) -> Transition:
    """Note that the message was published (again).

    Only while the task is active: a finished one owes its callback, and a late note would hide that.
    """
    return Transition(
        "mark_published", _active(row.submission_id), set={"published_at": iso(now)}, remove=PENDING
    )


def claim(row: Row, *, worker: str, fence: str, seconds: float, now: datetime) -> Transition:
    """Take the lease: no one else may hold a live one, attempts must be left, the fence be new to the row.

    The row goes back to `queued`, whatever the worker before had made of it.
    """
    return Transition(
        "claim",
        (
            *_active(row.submission_id),
            AnyOf((Absent("lease_until"), Below("lease_until", iso(now)))),
            Below("attempts", MAX_ATTEMPTS),
            Lacks("fences", fence),
        ),
        set={"worker": worker, "fence": fence, "lease_until": later(now, seconds), "progress": 0}
        | _status(row.runtime, Status.QUEUED),
        remove=("started_at",),
        add={"attempts": 1},
        unite={"fences": fence},
    )


def redraw(row: Row, *, fence: str) -> Transition:
    """Draw another fence, because an object of the first one's name exists."""
    return Transition(
        "redraw",
        (*_held(row), Lacks("fences", fence)),
        # The worker again, so that `left` never takes another's claim with this fence for this write.
        set={"fence": fence, "worker": row.item.get("worker")},
        unite={"fences": fence},
    )


def renew(row: Row, *, seconds: float, now: datetime, progress: float | None = None) -> Transition:
    """Renew the lease, and write the progress of the running job with it."""
    values: dict[str, Any] = {"lease_until": later(now, seconds)}
    if progress is not None:
        values["progress"] = progress
    return Transition("renew", _held(row), set=values)


def start(row: Row, *, seconds: float, now: datetime) -> Transition:
    """Say that the GPU has it, just before the inference request is sent; never after a cancel."""
    return Transition(
        "start",
        (
            equals("submission_id", row.submission_id),
            equals("fence", row.fence),
            equals("status", Status.QUEUED.value),
            Absent("cancel_requested"),
        ),
        set={"started_at": iso(now), "lease_until": later(now, seconds)}
        | _status(row.runtime, Status.RUNNING),
    )


def release(row: Row, *, count_attempt: bool, met: Mapping[str, str] | None = None) -> Transition:
    """Let go of the task for another worker; a cancel that was asked for is finished instead.

    `met` is the passing fault (code, message): the row keeps the last one.
    """
    return Transition(
        "release",
        (*_held(row), Absent("cancel_requested")),
        set={"progress": 0} | ({"met": cut_error(met)} if met else {}) | _status(row.runtime, Status.QUEUED),
        remove=(*WORKERS_OWN, "fence", "started_at"),
        add={} if count_attempt else {"attempts": -1},
    )


def finish(
    row: Row,
    status: Status,
    *,
    now: datetime,
    images: Sequence[str] = (),
    output: str | None = None,
    error: Mapping[str, str] | None = None,
) -> Transition:
    """Write the outcome: the first conditional final write wins."""
    return _final("finish", _held(row), row, status, now=now, images=images, output=output, error=error)


def _final(
    name: str,
    conditions: tuple[Condition, ...],
    row: Row,
    status: Status,
    *,
    now: datetime,
    images: Sequence[str] = (),
    output: str | None = None,
    error: Mapping[str, str] | None = None,
) -> Transition:
    values: dict[str, Any] = {
        "finished_at": iso(now),
        **_named(images),
        "output": output,
        "error": cut_error(error) if error else None,
        "expires_at": int((now + timedelta(days=ROW_DAYS)).timestamp()),
        **_owed(row.runtime, iso(now)),
    }
    if status is Status.COMPLETED:
        values["progress"] = 1
    return Transition(
        name,
        conditions,
        set=values | _status(row.runtime, status),
        remove=("lease_until", "message"),
    )


def _named(images: Sequence[str]) -> dict[str, Any]:
    """Return the links that a row and its callback can hold, and how many were left out."""
    kept: list[str] = []
    size = 0
    for uri in images:
        size += len(compact(uri)) + 1
        if size > MAX_IMAGES_BYTES:
            break
        kept.append(uri)
    left_out = len(images) - len(kept)
    return {"images": kept} | ({"images_left_out": left_out} if left_out else {})


def notify(row: Row, now: datetime) -> Transition:
    """Note that the callback of a finished row was sent; publishing comes first: it may be sent twice."""
    conditions = (equals("submission_id", row.submission_id), Absent("notified_at"))
    return Transition("notify", conditions, set={"notified_at": iso(now)}, remove=PENDING)


def cancel_queued(row: Row, now: datetime) -> Transition:
    """Cancel a task that no GPU has; a worker that prepares it finds out by its next write."""
    return _final(
        "cancel_queued",
        (equals("submission_id", row.submission_id), equals("status", Status.QUEUED.value)),
        row,
        Status.CANCELLED,
        now=now,
        error=cancelled_error(),
    )


def request_cancel(row: Row, now: datetime) -> Transition:
    """Ask the worker to stop; its heartbeat's write brings the request back."""
    return Transition(
        "request_cancel",
        (equals("submission_id", row.submission_id), equals("status", Status.RUNNING.value)),
        set={"cancel_requested": iso(now)},
    )


def abandon(row: Row, *, now: datetime, code: ErrorCode, message: str) -> Transition:
    """End a task that no worker will finish: nobody may hold a live lease. `code` cancelled: as cancelled."""
    return _final(
        "abandon",
        (*_active(row.submission_id), AnyOf((Absent("lease_until"), Below("lease_until", iso(now))))),
        row,
        Status.CANCELLED if code is ErrorCode.CANCELLED else Status.FAILED,
        now=now,
        error=outcome_error(code, message),
    )


def outlived(row: Row, now: datetime) -> bool:
    """Tell whether an active task is older than its queue keeps messages."""
    return (row.text("submitted_at") or "") < iso(now - timedelta(days=QUEUE_RETENTION_DAYS))


def answers_resubmission(row: Row, digest: str, now: datetime) -> bool:
    """Tell whether a submit of the same digest is answered from the row instead of run again."""
    if row.text("digest") != digest:
        return False
    finished = row.text("finished_at")
    return not row.status.final or (
        finished is not None and finished > iso(now - timedelta(seconds=RESUBMIT_SECONDS))
    )
