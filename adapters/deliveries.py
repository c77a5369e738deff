"""Process a delivered message: create, claim or end its task, and say what the caller must do next.

Workers use this to claim tasks, and the dead-letter function to end tasks that no worker may claim any more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from adapters.table import Table
from domain.clock import iso, now
from domain.delivery import Action, Decision, decide
from domain.errors import ErrorCode
from domain.message import Message
from domain.protocol import end_unclaimed, new_row, submit
from domain.row import Row
from domain.transition import Transition

MAX_ROUNDS: Final = 20
"""Maximum number of decisions on one delivery; between two of them a row changes only a few times."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What the caller must do with a message."""

    action: Action
    """DELETE_MESSAGE, NOTIFY or WAIT; CLAIM if the task was claimed and must be run."""
    row: Row | None
    """The row as last read or written."""
    seconds: int = 0
    """How long to wait, for WAIT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Creates, claims or ends the tasks of delivered messages; raises botocore's errors."""

    table: Table
    on_ended: Callable[[Row, ErrorCode], None]
    """Called after a task was ended here."""
    claim: Callable[[Row], Transition] | None = None
    """Returns the transition that claims a task; if None, tasks that could be claimed are ended."""
    unclaimed_message: str = ""
    """The error message of tasks that are ended although they could be claimed."""
    clock: Callable[[], datetime] = now

    def process(self, message: Message) -> NextStep | None:
        """Return what the caller must do next, or None if the row kept changing."""
        row, decision = self._first_decision(message)
        for _ in range(MAX_ROUNDS):
            if decision.action is Action.CREATE_ROW:
                row = self.table.write(message.task.id, submit(self._new_item(message))).row
            elif row is None or decision.action not in (Action.CLAIM, Action.END_UNCLAIMED):
                return NextStep(decision.action, row, decision.seconds)
            elif decision.action is Action.CLAIM and self.claim is not None:
                written = self.table.write(message.task.id, self.claim(row))
                if written.done:
                    return NextStep(Action.CLAIM, written.row)
                row = written.row
            else:
                row = self._end_unclaimed(row, decision.code, decision.message or self.unclaimed_message)
            decision = decide(row, message, self.clock())
        return None

    def _first_decision(self, message: Message) -> tuple[Row | None, Decision]:
        is_overdue = message.start_by is not None and message.start_by < iso(self.clock())
        if self.claim is None or is_overdue:  # a claim does not check the time by which a task must start
            row = self.table.get(message.task.id)
            return row, decide(row, message, self.clock())
        # Tries to claim without reading the row first, so that the common case needs a single write.
        task = message.task
        item = {"id": task.id, "submission_id": message.submission_id, "runtime": task.runtime}
        return Row(item), Decision(Action.CLAIM)

    def _end_unclaimed(self, row: Row, code: ErrorCode, message: str) -> Row | None:
        written = self.table.write(row.id, end_unclaimed(row, now=self.clock(), code=code, message=message))
        if written.done and written.row is not None:
            self.on_ended(written.row, code)
        return written.row

    def _new_item(self, message: Message) -> dict[str, Any]:
        """Return the row of a task that has none, because its message was published directly."""
        digest = message.task.digest if message.content_ref is None else ""
        item = new_row(message, digest=digest, now=self.clock())
        item["published_at"] = message.submitted_at
        return item
