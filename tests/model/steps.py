"""Steps that several actors share: write rows, publish messages, send callbacks, move messages.

Steps are `(label, state)` pairs. Each fault uses up one of the state's `faults_left`.

Phases of an actor: `received` a message; `create_row`, `claim`, `wait`, `delete_message`, `end_unclaimed` and
`notify` as decided by `domain.delivery`; `prep`, `infer`, `out` and `finish:…` while it works on a task;
`replace_fence` after an object's name was taken; `release:…`; `lost` after its lease was lost; `notify`,
`publish` and `record` to delete orphans, send the callback and record that; `send` and `mark` to publish a
task's message and record that; `delete` and `record_deletion` to delete a finished task's outputs and record
that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.row import Row
from tests.model.world import VISIBLE, Actor, Rows, State, Stored

Step = tuple[str, State]
HOLDING = ("prep", "infer", "out", "finish:completed", "finish:failed", "finish:cancelled")
INFERRING = ("infer", "out")
FAULT_KINDS = frozenset(
    {
        "answer",  # the response to a write is lost, and the write is repeated or not
        "bad",  # a task fails permanently before its inference
        "dead_letter",  # a message goes to the dead-letter queue
        "crash",  # a process dies between any two of its steps
        "draw",  # a worker draws a fence that may have been used before
        "expire",  # a lease ends while its worker is frozen
        "release",  # a worker shuts down or meets a retryable error
        "lapse",  # a message is delivered again while it is processed
        "lost",  # a published message is dropped
        "outlive",  # the sweep finds a task too old
        "sweep",  # the sweep runs while others still work
        "twice",  # a message is delivered twice
    }
)
"""The kinds of faults."""


@dataclass(frozen=True)
class Setup:
    """The actors of a run, and the kinds and the number of faults that may happen in it."""

    name: str
    faults: int
    kinds: frozenset[str]
    consumers: int = 2
    digests: str = "a"
    attempts: int = 0
    cancels: int = 0
    deletions: int = 0
    direct: bool = False
    """Whether the message of the first submission was published directly, without a row."""
    prelude: tuple[str, ...] = ()
    """Beginnings of the labels of events that happen before the search starts."""


class Steps:
    """Steps that several actors share."""

    def __init__(self, setup: Setup, rows: Rows) -> None:
        self.setup = setup
        self.rows = rows
        self.fault_kinds = setup.kinds

    def _write(
        self, state: State, index: int, name: str, **values: object
    ) -> tuple[bool, State, Row | None, list[Step]]:
        """Return whether a write was done, the next state, the row, and the steps that lose the response."""
        done, after, number = self.rows.write(state, name, state.actors[index].view, **values)
        lost_responses = []
        if state.faults_left and "answer" in self.fault_kinds and after is not state:
            lost_responses = [
                (f"{index} {name}, answer lost", after._replace(faults_left=state.faults_left - 1))
            ]
        return done, after.with_actor(index, view=number), self.rows.rows[number], lost_responses

    def _notify_steps(self, state: State, index: int, actor: Actor, *, then: str) -> Iterator[Step]:
        row = self.rows.row(actor.view)
        if actor.phase == "notify":
            kept = {row.text("output"), *row.item["images"]}
            objects = frozenset(
                o
                for o in state.objects
                if o.fence not in row.orphan_fences
                or o.submission_id != int(row.submission_id)
                or f"{o.fence}{SUFFIXES[o.kind]}" in kept
            )
            yield (
                f"{index} deletes orphans",
                state._replace(objects=objects).with_actor(index, phase="publish"),
            )
        elif actor.phase == "publish":
            callbacks = state.callbacks | {(int(row.submission_id), row.status.value)}
            yield (
                f"{index} sends the callback",
                state._replace(callbacks=callbacks).with_actor(index, phase="record"),
            )
        elif actor.phase == "record":
            _, after, _, lost_responses = self._write(state, index, "notify")
            yield from lost_responses
            yield f"{index} records the callback", after.with_actor(index, phase=then)

    def _publish_steps(self, state: State, index: int, actor: Actor, *, then: str) -> Iterator[Step]:
        if actor.phase == "send":
            submission_id = self.rows.submission_id(actor.view)
            noted = state._replace(published=state.published | {submission_id}).with_actor(
                index, phase="mark"
            )
            sent = noted._replace(queue=tuple(sorted((*state.queue, (submission_id, VISIBLE)))))
            yield f"{index} publishes {submission_id}", sent
            if state.faults_left and "lost" in self.fault_kinds:
                yield (
                    f"{index} publishes {submission_id}, lost",
                    noted._replace(faults_left=state.faults_left - 1),
                )
        elif actor.phase == "mark":
            _, after, _, lost_responses = self._write(state, index, "mark_published")
            yield from lost_responses
            yield f"{index} records the publication", after.with_actor(index, phase=then)


def wrote(stored: Stored, index: int, actor: Actor) -> bool:
    """Return whether this worker wrote an object under its current fence."""
    return (stored.worker, stored.fence, stored.submission_id) == (index, actor.fence, actor.submission_id)


SUFFIXES = {"image": "-1.png", "out": ".out"}


def replaced(state: State, old: tuple[int, int], new: tuple[int, int] | None) -> State:
    """Return the state with a message moved or deleted, if it still exists."""
    queue = list(state.queue)
    if old in queue:
        queue.remove(old)
        if new is not None:
            queue.append(new)
    return state._replace(queue=tuple(sorted(queue)))
