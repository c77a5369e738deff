"""The states of the model: one row, its queue, its objects, and the actors that work on them.

Rows are real rows, which the real transitions change. They are interned, so that a state is a small tuple.
Time is abstract: only the end of a lease depends on it, which is an event (`expire`). A freeze is any delay
between two steps of an actor.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum, auto
from typing import Any, NamedTuple

from domain import protocol
from domain.clock import iso
from domain.limits import MAX_ATTEMPTS
from domain.message import Message
from domain.protocol import new_row
from domain.row import Row
from domain.task import Task
from domain.transition import Transition
from runtimes.sdwebui.task_type import TaskType
from tests.model.phases import Phase
from tests.support.clock import NOW

LEASE_SECONDS = 60
EXPIRED = iso(NOW - timedelta(seconds=1))
NOBODY = 99
"""Holds a crashed consumer's messages until their visibility timeout ends; an object of this worker may
remain, because the checker does not count it."""
VISIBLE = -1
"""The holder of a message that can be received."""
FENCES = ("0001", "0002", "0003", "0004", "0005", "0006")
LEASE_WRITES = frozenset({"renew", "replace_fence", "start", "release", "finish"})
"""The writes of a worker with a lease; once another worker has claimed the task, they must change nothing."""


class Violation(Exception):
    """An invariant of the protocol is violated."""


class Actor(NamedTuple):
    """A process: its next step, and what it knows."""

    phase: Phase = Phase.IDLE
    submission_id: int = -1
    """The submission of its message or request."""
    view: int = 0
    """The number of the row as it last saw it, which may have changed since."""
    fence: str = ""
    finish_sent: bool = False
    """Whether it has sent a final write, which may have succeeded even if it got no response."""


class Stored(NamedTuple):
    """An object in the output bucket: its name (fence and kind), and who wrote it."""

    fence: str
    kind: str
    submission_id: int
    worker: int
    is_late: bool
    """Whether it was written after the outcome, or after its submission was replaced."""


class State(NamedTuple):
    """A state of the model; the fields after `faults_left` are history that only the checks read."""

    row: int
    """The number of the task's row, as `Rows` gives it; 0 if there is none."""
    actors: tuple[Actor, ...]
    queue: tuple[tuple[int, int], ...] = ()
    """Each message as its submission and its holder: a consumer, VISIBLE or NOBODY."""
    dead: tuple[int, ...] = ()
    """The submissions of the messages in the dead-letter queue."""
    objects: frozenset[Stored] = frozenset()
    faults_left: int = 0
    callbacks: frozenset[tuple[int, str]] = frozenset()
    """Submission and status of each callback."""
    cancelled: frozenset[tuple[int, int]] = frozenset()
    """Submission and HTTP status of each accepted cancel: 200 if it is done, 202 if it is requested."""
    outcomes: frozenset[tuple[int, str]] = frozenset()
    published: frozenset[int] = frozenset()
    accepted: tuple[int, ...] = ()
    deleted: frozenset[int] = frozenset()
    """Submissions whose outputs a caller has deleted."""

    def with_actor(self, index: int, **changes: Any) -> "State":
        """Return the state after a change of one actor."""
        actors = list(self.actors)
        actors[index] = actors[index]._replace(**changes)
        # Faster than `_replace`, in the function that is called most.
        return State._make((self[0], tuple(actors), *self[2:]))

    def with_idle_actor(self, index: int) -> "State":
        """Return the state in which an actor has forgotten everything and waits for work."""
        return self.with_actor(index, **Actor()._asdict())

    def with_fault(self) -> "State":
        """Return the state with one fault less to happen."""
        return self._replace(faults_left=self.faults_left - 1)


class WriteEffect(Enum):
    """What a write did to its row."""

    APPLIED = auto()
    ALREADY_APPLIED = auto()
    """The same write was done before: the writer gets the same response as for the first one."""
    REFUSED = auto()


class Rows:
    """Gives each distinct row a number, and writes rows by transitions, which `mutate` may change."""

    def __init__(self, *, attempts: int, digests: str, mutate: Callable[[Transition], Transition]) -> None:
        self.rows: list[Row | None] = [None]
        self.messages = [_message(index) for index in range(len(digests))]
        self._new = [
            {**new_row(message, digest=digest, now=NOW), "attempts": attempts}
            for message, digest in zip(self.messages, digests, strict=True)
        ]
        self.digests = digests
        self._mutate = mutate
        self._ids: dict[Any, int] = {None: 0}
        self._results: dict[Any, tuple[WriteEffect, int]] = {}

    def new(self, submission_id: int) -> dict[str, Any]:
        """Return the new row of a submission."""
        return dict(self._new[submission_id])

    def intern(self, item: Mapping[str, Any]) -> int:
        """Return the number of a row."""
        key = tuple(sorted((name, _hashable(value)) for name, value in item.items()))
        if key not in self._ids:
            self._ids[key] = len(self.rows)
            self.rows.append(Row(dict(item)))
        return self._ids[key]

    def row(self, number: int) -> Row:
        """Return a row, which must exist."""
        row = self.rows[number]
        assert row is not None
        return row

    def submission_id(self, number: int) -> int:
        """Return the submission of a row."""
        return int(self.row(number).submission_id)

    def write(self, state: State, name: str, view: int, **values: Any) -> tuple[bool, State, int]:
        """Write as `Table` does; return whether it was done, the next state, and the row's number afterwards.

        Raise Violation if the write violates an invariant of rows.
        """
        key = (state.row, name, view, *values.items())
        if key not in self._results:
            self._results[key] = self._write(state.row, self._transition(name, view, values))
        effect, number = self._results[key]
        is_done = effect is not WriteEffect.REFUSED
        if effect is WriteEffect.APPLIED:
            check_write(self, state, name, view, number)
        after = state if number == state.row else state._replace(row=number)
        row = self.rows[number]
        if row is not None and row.status.final:
            outcomes = after.outcomes | {(int(row.submission_id), row.status.value)}
            after = after._replace(outcomes=outcomes)
        return is_done, after, number

    def _write(self, number: int, transition: Transition) -> tuple[WriteEffect, int]:
        row = self.rows[number]
        item = row.item if row else {}
        if transition.is_allowed(item):
            return WriteEffect.APPLIED, self.intern(transition.apply_to(item))
        if row is not None and transition.is_already_applied(item):
            return WriteEffect.ALREADY_APPLIED, number
        return WriteEffect.REFUSED, number

    def _transition(self, name: str, view: int, values: dict[str, Any]) -> Transition:
        arguments = dict(values)
        if name in ("submit", "resubmit"):
            item = self._new[arguments["submission_id"]]
            previous = (self.row(view),) if name == "resubmit" else ()
            return self._mutate(getattr(protocol, name)(item, *previous))
        if name == "finish":
            fence, status = self.row(view).fence, arguments["status"]
            arguments |= (
                {"images": [f"{fence}-1.png"], "output": f"{fence}.out"} if status == "completed" else {}
            )
        if name in ("claim", "start", "renew"):
            arguments["seconds"] = LEASE_SECONDS
        if name not in ("replace_fence", "release"):
            arguments["now"] = NOW
        return self._mutate(getattr(protocol, name)(self.row(view), **arguments))

    def expire(self, number: int) -> int:
        """Return the row after its lease has ended, or the same one if it has no lease."""
        row = self.rows[number]
        if row is None or row.text("lease_until") in (None, EXPIRED):
            return number
        return self.intern({**row.item, "lease_until": EXPIRED})


def check_write(rows: Rows, state: State, name: str, view: int, number: int) -> None:
    """Raise Violation if a write violates an invariant of rows."""
    before, after = rows.rows[state.row], rows.rows[number]
    if before is None or after is None:
        return
    if before.submission_id != after.submission_id:
        _check_replaced(rows, state, before, after)
        return
    if rows.rows[view] is None:
        raise Violation("a row was overwritten as if it did not exist")
    _check_unchanged(rows.row(view), before, after, name)
    is_leased = before.text("lease_until") not in {None, EXPIRED}
    if name in {"claim", "end_unclaimed"} and is_leased:
        raise Violation(f"{name} took a task from a worker whose lease was live")
    if name == "start" and any(
        submission_id == int(after.submission_id) for submission_id, _ in state.cancelled
    ):
        raise Violation("an inference started after its cancel was accepted")
    if name == "release" and before.cancel_requested:
        raise Violation("a task was queued again after its cancel was accepted")
    if after.attempts > MAX_ATTEMPTS:
        raise Violation("a task has more attempts than allowed")
    if after.text("published_at") and int(after.submission_id) not in state.published:
        raise Violation("a submission was recorded as published but never was")


def _check_unchanged(viewed: Row, before: Row, after: Row, name: str) -> None:
    if before.status.final:
        attributes = before.item.keys() | after.item
        changed_attributes = {
            attribute for attribute in attributes if before.item.get(attribute) != after.item.get(attribute)
        }
        allowed_attributes = {"notified_at", "published_at", "pending_runtime", "pending_since"}
        if name == "record_output_deletion":
            allowed_attributes |= {"outputs_deleted_at", "images", "other_images", "output"}
        if changed_attributes - allowed_attributes:
            raise Violation(f"a finished row changed: {sorted(changed_attributes)}")
    if name == "notify" and before.notified:
        raise Violation("notified_at was written twice")
    if viewed.submission_id != after.submission_id:
        raise Violation(f"{name} changed a submission that it was not meant for")
    if name in LEASE_WRITES and viewed.fence != before.fence:
        raise Violation(f"{name} of a worker that had lost the task changed its row")


def _check_replaced(rows: Rows, state: State, before: Row, after: Row) -> None:
    submission_id = int(before.submission_id)
    if not before.status.final:
        raise Violation("an active submission was replaced")
    if not any(notified == submission_id for notified, _ in state.callbacks):
        raise Violation("a submission was replaced before its callback was sent")
    if rows.digests[submission_id] == rows.digests[int(after.submission_id)]:
        raise Violation("the same request ran twice")


def _hashable(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def _message(index: int) -> Message:
    task = Task(
        id="t",
        runtime="r",
        tasktype=TaskType.TEXT_TO_IMAGE,
        prefix="p",
        context=None,
        content={},
        api_version="v",
    )
    return Message(task, submission_id=str(index), submitted_at=iso(NOW))
