"""Steps that several actors share: write the row, publish the message, send the callback, move messages.

A step is a pair: a label for the trace, and the state after the step. A step with a fault uses up one of the
state's `faults_left`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from domain.row import Row
from tests.model.phases import FaultKind, Phase
from tests.model.world import VISIBLE, Actor, Rows, State, Stored

Step = tuple[str, State]
OBJECT_SUFFIXES = {"image": "-1.png", "output": ".out"}


@dataclass(frozen=True)
class Setup:
    """The actors of a run, and the kinds and the number of faults that may happen in it."""

    name: str
    faults: int
    kinds: frozenset[FaultKind]
    consumers: int = 2
    digests: str = "a"
    """One letter for each submission; submissions with the same letter have the same request."""
    attempts: int = 0
    """How many attempts each submission has already used."""
    cancels: int = 0
    deletions: int = 0
    is_direct: bool = False
    """Whether the message of the first submission was published directly, without a row."""
    prelude: tuple[str, ...] = ()
    """Beginnings of the labels of the steps that are taken before the search starts."""


class WriteResult(NamedTuple):
    """What a write returns, and the state after it."""

    is_done: bool
    state: State
    row: Row | None
    response_lost_steps: list[Step]
    """The steps in which the write is done but its writer does not learn it."""


class Steps:
    """Steps that several actors share."""

    def __init__(self, setup: Setup, rows: Rows) -> None:
        self.setup = setup
        self.rows = rows
        self.fault_kinds = setup.kinds
        self.names: list[str] = []
        """The names of the actors, for the labels of steps."""

    def _can_fail(self, state: State, kind: FaultKind) -> bool:
        return state.faults_left > 0 and kind in self.fault_kinds

    def _write(self, state: State, index: int, transition: str, **values: object) -> WriteResult:
        is_done, after, number = self.rows.write(state, transition, state.actors[index].view, **values)
        response_lost_steps = []
        if self._can_fail(state, FaultKind.RESPONSE_LOST) and after is not state:
            label = f"{self.names[index]} loses the response to {transition}"
            response_lost_steps = [(label, after._replace(faults_left=state.faults_left - 1))]
        return WriteResult(
            is_done, after.with_actor(index, view=number), self.rows.rows[number], response_lost_steps
        )

    def _callback_steps(self, state: State, index: int, actor: Actor, *, next_phase: Phase) -> Iterator[Step]:
        name, row = self.names[index], self.rows.row(actor.view)
        match actor.phase:
            case Phase.DELETE_ORPHANS:
                named_keys = {row.text("output"), *row.item["images"]}
                objects = frozenset(
                    stored_object
                    for stored_object in state.objects
                    if stored_object.fence not in row.orphan_fences
                    or stored_object.submission_id != int(row.submission_id)
                    or object_name(stored_object) in named_keys
                )
                after = state._replace(objects=objects)
                yield f"{name} deletes orphans", after.with_actor(index, phase=Phase.SEND_CALLBACK)
            case Phase.SEND_CALLBACK:
                callbacks = state.callbacks | {(int(row.submission_id), row.status.value)}
                after = state._replace(callbacks=callbacks)
                yield f"{name} sends the callback", after.with_actor(index, phase=Phase.RECORD_CALLBACK)
            case Phase.RECORD_CALLBACK:
                write = self._write(state, index, "notify")
                yield from write.response_lost_steps
                yield f"{name} records the callback", write.state.with_actor(index, phase=next_phase)

    def _publish_steps(self, state: State, index: int, actor: Actor, *, next_phase: Phase) -> Iterator[Step]:
        name = self.names[index]
        match actor.phase:
            case Phase.PUBLISH:
                submission_id = self.rows.submission_id(actor.view)
                published = state._replace(published=state.published | {submission_id}).with_actor(
                    index, phase=Phase.RECORD_PUBLICATION
                )
                queue = tuple(sorted((*state.queue, (submission_id, VISIBLE))))
                yield f"{name} publishes {submission_id}", published._replace(queue=queue)
                if self._can_fail(state, FaultKind.MESSAGE_LOST):
                    yield f"{name} publishes {submission_id}, which is lost", published.with_fault()
            case Phase.RECORD_PUBLICATION:
                write = self._write(state, index, "mark_published")
                yield from write.response_lost_steps
                yield f"{name} records the publication", write.state.with_actor(index, phase=next_phase)


def is_written_by(stored_object: Stored, index: int, actor: Actor) -> bool:
    """Return whether this worker wrote an object under its current fence."""
    return (stored_object.worker, stored_object.fence, stored_object.submission_id) == (
        index,
        actor.fence,
        actor.submission_id,
    )


def object_name(stored_object: Stored) -> str:
    """Return an object's name as rows have it; the model's rows have it without bucket and folder."""
    return f"{stored_object.fence}{OBJECT_SUFFIXES[stored_object.kind]}"


def move_message(state: State, old: tuple[int, int], new: tuple[int, int] | None) -> State:
    """Return the state with a message moved, or deleted if `new` is None; unchanged if it is gone."""
    queue = list(state.queue)
    if old in queue:
        queue.remove(old)
        if new is not None:
            queue.append(new)
    return state._replace(queue=tuple(sorted(queue)))
