"""Decide what to do with a delivered message; the model check uses the same function."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.clock import iso, parse
from domain.errors import CANCELLED_BY_CALLER, NOT_STARTED, ErrorCode
from domain.keys import split_s3_uri
from domain.limits import MAX_ATTEMPTS
from domain.message import Message
from domain.row import Row


class Action(StrEnum):
    """What to do with a delivered message."""

    CREATE_ROW = "create_row"
    """There is no row: create it (`submit`), then decide again."""

    DELETE_MESSAGE = "delete_message"
    """The message belongs to another submission, or the task has ended and its callback was sent: delete
    it."""

    NOTIFY = "notify"
    """The task has ended but its callback was not sent: send it, record that, delete the message."""

    WAIT = "wait"
    """Another worker has a live lease: make the message visible again in `seconds`."""

    END_UNCLAIMED = "end_unclaimed"
    """No worker may claim the task any more: write the outcome (`end_unclaimed` with `code` and `message`),
    then send the callback."""

    CLAIM = "claim"
    """Take the lease (`claim`). If `claim` or `end_unclaimed` is refused, decide again with the row that was
    returned."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An action with its data: `seconds` for WAIT, `code` and `message` for END_UNCLAIMED."""

    action: Action
    seconds: int = 0
    code: ErrorCode = ErrorCode.TASK_ABANDONED
    message: str = ""


def remaining_lease_seconds(row: Row, now: datetime) -> int:
    """Return for how many seconds (rounded up) the row's lease is still live, or 0."""
    until = row.text("lease_until")
    if until is None or until < iso(now):  # the same comparison as in `claim`
        return 0
    return max(1, math.floor((parse(until) - now).total_seconds()) + 1)


def decide(row: Row | None, message: Message, now: datetime) -> Decision:  # noqa: PLR0911 - a table of cases
    """Decide what to do with a message, given the row of its task.

    Attempts are checked here and not only after an error, because a worker that was killed used an attempt
    without being able to report it.
    """
    if row is None:
        return Decision(Action.CREATE_ROW)
    if row.submission_id != message.submission_id:
        return Decision(Action.DELETE_MESSAGE)
    if row.status.final:
        return Decision(Action.DELETE_MESSAGE if row.notified else Action.NOTIFY)
    if seconds := remaining_lease_seconds(row, now):
        return Decision(Action.WAIT, seconds=seconds)
    if row.cancel_requested:
        return Decision(Action.END_UNCLAIMED, code=ErrorCode.CANCELLED, message=CANCELLED_BY_CALLER)
    if row.start_is_overdue(iso(now)):
        return Decision(Action.END_UNCLAIMED, code=ErrorCode.TASK_EXPIRED, message=NOT_STARTED)
    if row.attempts >= MAX_ATTEMPTS:
        return Decision(Action.END_UNCLAIMED, message=_attempts_used_up(row))
    return Decision(Action.CLAIM)


def _attempts_used_up(row: Row) -> str:
    # A worker that meets a retryable error on the last attempt fails the task itself.
    text = f"Given up after {row.attempts} attempts; the last worker stopped without reporting an error."
    error = row.item.get("last_error")
    return f"{text} Reported before: {error['code']}: {error['message']}" if isinstance(error, dict) else text


def orphaned_objects(
    row: Row | None, submission_id: str, stored: Iterable[str], *, finish_sent: bool
) -> list[str]:
    """Return which of the `s3://` links in `stored` a worker must delete after it lost its lease.

    `row` is what was read after the write was refused. Objects that the row names are never returned: the
    worker's own final write may have succeeded with only the response lost. If another submission has
    replaced the row, that can no longer be known, so a worker that has sent its final write deletes nothing.
    """
    if row is None or row.submission_id != submission_id:
        return [] if finish_sent else list(stored)
    named = {row.text("output"), *row.images, *row.other_images}
    return [uri for uri in stored if uri not in named and not _left_out(row, uri)]


def _left_out(row: Row, uri: str) -> bool:
    """Return whether an object belongs to an outcome with more images than its row can name."""
    left_out = row.item.get("images_left_out") or row.item.get("other_images_left_out")
    if not left_out or row.fence is None:
        return False
    return row.keys.could_have_written(row.fence, split_s3_uri(uri)[1])
