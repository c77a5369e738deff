"""What a delivery finds, and what follows from it; the model check calls it too."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.clock import iso, parse
from domain.errors import CANCELLED_BY_CALLER, ErrorCode
from domain.keys import split_s3_uri
from domain.limits import MAX_ATTEMPTS
from domain.message import Message
from domain.row import Row


class Action(StrEnum):
    """Name what is done with a delivered message."""

    ADOPT = "adopt"
    """There is no row: make it (`submit`), then decide again."""

    DROP = "drop"
    """The message is of another submission, or all is done and told: delete it."""

    NOTIFY = "notify"
    """Finished, not told: send the callback from the row, note it, delete the message."""

    WAIT = "wait"
    """A worker holds a live lease: make the message visible again in `seconds`."""

    ABANDON = "abandon"
    """No worker may have it any more: write the outcome (`abandon` with `code` and `message`), then tell."""

    CLAIM = "claim"
    """Take the lease (`claim`). Where that or `abandon` is refused, decide again on the row as it stood."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what to do: `seconds` belongs to WAIT, `code` and `message` to ABANDON."""

    action: Action
    seconds: int = 0
    code: ErrorCode = ErrorCode.TASK_ABANDONED
    message: str = ""


def lease_remains(row: Row, now: datetime) -> int:
    """Return for how many more seconds (rounded up) a lease on the row is live, 0 where none is."""
    until = row.text("lease_until")
    if until is None or until < iso(now):  # the very comparison of `claim`
        return 0
    return max(1, math.floor((parse(until) - now).total_seconds()) + 1)


def decide(row: Row | None, message: Message, now: datetime) -> Decision:  # noqa: PLR0911 - a table of cases
    """Return what to do with a message, given the row of its task.

    A worker that was killed spent its attempt and could not say so: attempts are counted when a row is met,
    not
    only when a fault is.
    """
    if row is None:
        return Decision(Action.ADOPT)
    if row.submission_id != message.submission_id:
        return Decision(Action.DROP)
    if row.status.final:
        return Decision(Action.DROP if row.notified else Action.NOTIFY)
    if seconds := lease_remains(row, now):
        return Decision(Action.WAIT, seconds=seconds)
    if row.cancel_requested:
        return Decision(Action.ABANDON, code=ErrorCode.CANCELLED, message=CANCELLED_BY_CALLER)
    if row.attempts >= MAX_ATTEMPTS:
        return Decision(Action.ABANDON, message=_spent(row))
    return Decision(Action.CLAIM)


def _spent(row: Row) -> str:
    # A worker that met a passing fault on the last try would have failed the task itself.
    text = f"Given up after {row.attempts} attempts; the last worker ended without a word."
    met = row.item.get("met")
    return f"{text} Met before: {met['code']}: {met['message']}" if isinstance(met, dict) else text


def orphaned_objects(
    row: Row | None, submission_id: str, wrote: Iterable[str], *, finish_sent: bool
) -> list[str]:
    """Return which of the objects that a worker wrote (`s3://` links) it deletes when it lets go of a task.

    `row` is what was read after the refusal. Never what the row names: the worker's own final write may
    have been done and only its answer lost. Where another submission has replaced the row, nobody can tell
    any
    more, so a worker that had sent its final write deletes nothing.
    """
    if row is None or row.submission_id != submission_id:
        return [] if finish_sent else list(wrote)
    named = {row.text("output"), *(row.item.get("images") or [])}
    return [uri for uri in wrote if uri not in named and not _left_out(row, uri)]


def _left_out(row: Row, uri: str) -> bool:
    """Tell whether an object belongs to an outcome with more images than its row can name."""
    if not row.item.get("images_left_out") or row.fence is None:
        return False
    return row.keys.wrote(row.fence, split_s3_uri(uri)[1])
