"""The world of the model: one row, its queue, its objects, and everyone who works on them.

Rows are real rows, changed by the real transitions; they are interned, so that a state is a small tuple.
Time is abstract: all that ever depends on it is whether the lease is live, and that it stops being so is an
event of its own (`expire`). Any delay between two steps of anyone is a freeze.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
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
from tests.support.clock import NOW

LEASE_SECONDS = 60
EXPIRED = iso(NOW - timedelta(seconds=1))
NOBODY = 99
"""Holds the messages of consumers that died, until their visibility timeout runs out."""
VISIBLE = -1
FENCES = ("0001", "0002", "0003", "0004", "0005", "0006")
WORKERS = frozenset({"renew", "replace_fence", "start", "release", "finish"})
"""The writes of a worker that holds a task; who woke up after another took over can change nothing."""


class Violation(Exception):
    """Say which promise was broken."""


class Actor(NamedTuple):
    """One process: where it stands, the submission of its message, the row as it last saw it, its fence."""

    phase: str = "idle"
    submission_id: int = -1
    view: int = 0
    fence: str = ""
    finish_sent: bool = False


class Stored(NamedTuple):
    """An object: its name (fence, kind), whose it is, and whether it came after the outcome."""

    fence: str
    kind: str
    submission_id: int
    worker: int
    late: bool


class State(NamedTuple):
    """Everything; the fields after `left` are history that only the checks read."""

    row: int
    actors: tuple[Actor, ...]
    queue: tuple[tuple[int, int], ...] = ()
    dead: tuple[int, ...] = ()
    objects: frozenset[Stored] = frozenset()
    left: int = 0
    callbacks: frozenset[tuple[int, str]] = frozenset()
    cancelled: frozenset[tuple[int, int]] = frozenset()
    outcomes: frozenset[tuple[int, str]] = frozenset()
    published: frozenset[int] = frozenset()
    accepted: tuple[int, ...] = ()

    def with_actor(self, index: int, **changes: Any) -> "State":
        """Return the state after a change of one actor."""
        actors = list(self.actors)
        actors[index] = actors[index]._replace(**changes)
        return State._make((self[0], tuple(actors), *self[2:]))


class Rows:
    """Intern rows, and write them by transitions; `build` may leave a condition out."""

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
        self._written: dict[Any, tuple[str, int]] = {}

    def new(self, submission_id: int) -> dict[str, Any]:
        """Return the fresh row of a submission."""
        return dict(self._new[submission_id])

    def intern(self, item: Mapping[str, Any]) -> int:
        """Return the number of a row."""
        key = tuple(sorted((name, _hashable(value)) for name, value in item.items()))
        if key not in self._ids:
            self._ids[key] = len(self.rows)
            self.rows.append(Row(dict(item)))
        return self._ids[key]

    def row(self, number: int) -> Row:
        """Return a row that is there."""
        row = self.rows[number]
        assert row is not None
        return row

    def submission_id(self, number: int) -> int:
        """Return which submission a row is of."""
        return int(self.row(number).submission_id)

    def write(self, state: State, name: str, view: int, **values: Any) -> tuple[bool, State, int]:
        """Write as `Table` does: whether it is done, what follows, and the row as it stands."""
        key = (state.row, name, view, *values.items())
        if key not in self._written:
            self._written[key] = self._write(state.row, self._transition(name, view, values))
        how, number = self._written[key]
        done = how != "refused"
        if how == "applied":
            check_write(self, state, name, view, number)
        after = state if number == state.row else state._replace(row=number)
        row = self.rows[number]
        if row is not None and row.status.final:
            outcomes = after.outcomes | {(int(row.submission_id), row.status.value)}
            after = after._replace(outcomes=outcomes)
        return done, after, number

    def _write(self, number: int, transition: Transition) -> tuple[str, int]:
        row = self.rows[number]
        item = row.item if row else {}
        if transition.allowed(item):
            return "applied", self.intern(transition.applied(item))
        return "left" if row is not None and transition.already_applied(item) else "refused", number

    def _transition(self, name: str, view: int, values: dict[str, Any]) -> Transition:
        arguments = dict(values)
        if name in ("submit", "resubmit"):
            item = self._new[arguments["submission_id"]]
            rest = (self.row(view),) if name == "resubmit" else ()
            return self._mutate(getattr(protocol, name)(item, *rest))
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
        """Return the row once its lease ran out, the same one where it has none."""
        row = self.rows[number]
        if row is None or row.text("lease_until") in (None, EXPIRED):
            return number
        return self.intern({**row.item, "lease_until": EXPIRED})


def check_write(rows: Rows, state: State, name: str, view: int, number: int) -> None:
    """Raise Violation where a write that took place breaks a promise about rows."""
    before, after = rows.rows[state.row], rows.rows[number]
    if before is None or after is None:
        return
    if before.submission_id != after.submission_id:
        _check_replaced(rows, state, before, after)
        return
    if rows.rows[view] is None:
        raise Violation("a row was written over as if there were none")
    _check_unchanged(rows.row(view), before, after, name)
    live = before.text("lease_until") not in {None, EXPIRED}
    if name in {"claim", "abandon"} and live:
        raise Violation(f"{name} took a task from a worker whose lease was live")
    if name == "start" and any(
        submission_id == int(after.submission_id) for submission_id, _ in state.cancelled
    ):
        raise Violation("an inference started after its cancel was accepted")
    if name == "release" and before.cancel_requested:
        raise Violation("a task was queued again after its cancel was accepted")
    if after.attempts > MAX_ATTEMPTS:
        raise Violation("more attempts than there are")
    if after.text("published_at") and int(after.submission_id) not in state.published:
        raise Violation("a submission that was never published says that it was")


def _check_unchanged(meant: Row, before: Row, after: Row, name: str) -> None:
    if before.status.final:
        changed = {n for n in before.item.keys() | after.item if before.item.get(n) != after.item.get(n)}
        if changed - {"notified_at", "published_at", "pending_runtime", "pending_since"}:
            raise Violation(f"a finished row changed: {sorted(changed)}")
    if name == "notify" and before.notified:
        raise Violation("the time of telling was written twice")
    if meant.submission_id != after.submission_id:
        raise Violation(f"{name} changed another submission than it was meant for")
    if name in WORKERS and meant.fence != before.fence:
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
