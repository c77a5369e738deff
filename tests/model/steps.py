"""What everyone in the model does alike: write rows, publish, tell, move messages.

A step yields `(label, state)` pairs. Faults cost one of the state's `left`; with none left, only the course
of things remains.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.row import Row
from tests.model.world import VISIBLE, Actor, Rows, State, Stored

Step = tuple[str, State]
HOLDING = ("prep", "infer", "out", "finish:completed", "finish:failed", "finish:cancelled")
INFERRING = ("infer", "out")
KINDS = frozenset(
    {
        "answer",  # the answer to a write is lost: it is sent again, or given up
        "bad",  # a task fails by its own fault before its inference
        "dead_letter",  # a message goes to the dead-letter queue
        "crash",  # a process dies between any two of its steps
        "draw",  # a worker draws another fence than the next new one, perhaps a used one
        "expire",  # a lease runs out while its holder sleeps
        "give",  # a worker leaves, or meets a passing fault
        "lapse",  # a message is delivered again while someone has it
        "lost",  # a published message is dropped
        "outlive",  # the sweep finds a task too old
        "sweep",  # the sweep runs before things are at rest
        "twice",  # a message is delivered twice
    }
)
"""The faults there are."""


@dataclass(frozen=True)
class Setup:
    """Say who takes part, which faults may happen, and how many of them in one run."""

    name: str
    faults: int
    kinds: frozenset[str]
    consumers: int = 2
    digests: str = "a"
    attempts: int = 0
    cancels: int = 0
    direct: bool = False
    """A message of the first submission was published by someone else, without a row."""
    prelude: tuple[str, ...] = ()
    """Events that happen first, by how their labels begin: the search starts after them."""


class Steps:
    """Step through one setup's world."""

    def __init__(self, setup: Setup, rows: Rows) -> None:
        self.setup = setup
        self.rows = rows
        self.kinds = setup.kinds

    def _write(
        self, state: State, index: int, name: str, **values: object
    ) -> tuple[bool, State, Row | None, list[Step]]:
        """Return what a write makes of the world, the row as it then stands, and a lost answer as a step."""
        done, after, number = self.rows.write(state, name, state.actors[index].view, **values)
        lost = []
        if state.left and "answer" in self.kinds and after is not state:
            lost = [(f"{index} {name}, answer lost", after._replace(left=state.left - 1))]
        return done, after.with_actor(index, view=number), self.rows.rows[number], lost

    def _telling(self, state: State, index: int, actor: Actor, *, then: str) -> Iterator[Step]:
        row = self.rows.row(actor.view)
        if actor.phase == "notify":
            kept = {row.text("output"), *row.item["images"]}
            objects = frozenset(
                o
                for o in state.objects
                if o.fence not in row.orphans
                or o.submission_id != int(row.submission_id)
                or f"{o.fence}{ENDS[o.kind]}" in kept
            )
            yield f"{index} clears", state._replace(objects=objects).with_actor(index, phase="publish")
        elif actor.phase == "publish":
            callbacks = state.callbacks | {(int(row.submission_id), row.status.value)}
            yield f"{index} calls back", state._replace(callbacks=callbacks).with_actor(index, phase="note")
        elif actor.phase == "note":
            _, after, _, lost = self._write(state, index, "notify")
            yield from lost
            yield f"{index} notes", after.with_actor(index, phase=then)

    def _sending(self, state: State, index: int, actor: Actor, *, then: str) -> Iterator[Step]:
        if actor.phase == "send":
            submission_id = self.rows.submission_id(actor.view)
            noted = state._replace(published=state.published | {submission_id}).with_actor(
                index, phase="mark"
            )
            sent = noted._replace(queue=tuple(sorted((*state.queue, (submission_id, VISIBLE)))))
            yield f"{index} publishes {submission_id}", sent
            if state.left and "lost" in self.kinds:
                yield f"{index} publishes {submission_id}, lost", noted._replace(left=state.left - 1)
        elif actor.phase == "mark":
            _, after, _, lost = self._write(state, index, "mark_published")
            yield from lost
            yield f"{index} marks", after.with_actor(index, phase=then)


def wrote(stored: Stored, index: int, actor: Actor) -> bool:
    """Tell whether an object is one that this worker wrote under the fence it holds."""
    return (stored.worker, stored.fence, stored.submission_id) == (index, actor.fence, actor.submission_id)


ENDS = {"image": "-1.png", "out": ".out"}


def replaced(state: State, old: tuple[int, int], new: tuple[int, int] | None) -> State:
    """Return the state with one message moved or gone; one that is not there any more is left alone."""
    queue = list(state.queue)
    if old in queue:
        queue.remove(old)
        if new is not None:
            queue.append(new)
    return state._replace(queue=tuple(sorted(queue)))
