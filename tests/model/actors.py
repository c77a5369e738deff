"""All actors of the model together: the next steps of each of them, and the faults that can happen."""

from collections.abc import Callable, Iterator

from tests.model.consumer import Consumer
from tests.model.services import Services
from tests.model.steps import FAULT_KINDS, Setup, Step, replaced, wrote
from tests.model.world import NOBODY, VISIBLE, Actor, Rows, State


class Actors(Consumer, Services):
    """Enumerates the steps from a state of a setup."""

    def __init__(self, setup: Setup, rows: Rows) -> None:
        super().__init__(setup, rows)
        roles: list[Callable[[State, int, Actor], Iterator[Step]]] = [self._consumer] * setup.consumers
        roles += [self._submitter] * len(setup.digests) + [self._canceller] * setup.cancels
        roles += [self._deleter] * setup.deletions
        roles += [self._sweep, self._dead_letter_function]
        self.roles = roles
        self.sweep, self.dead_letter_function = len(roles) - 2, len(roles) - 1

    def first(self) -> State:
        """Return the first state, after the events of the setup's prelude."""
        first = self.setup.consumers
        actors = [Actor() for _ in self.roles]
        for submission_id in range(len(self.setup.digests)):
            actors[first + submission_id] = Actor("read", submission_id)
        for index in range(first + len(self.setup.digests), self.sweep):
            actors[index] = Actor("read")
        if self.setup.direct:
            actors[first] = Actor("end")
        queue = ((0, VISIBLE),) if self.setup.direct else ()
        state = State(0, tuple(actors), queue=queue, faults_left=len(self.setup.prelude))
        self.fault_kinds = FAULT_KINDS
        for event in self.setup.prelude:
            found = [after for label, after in self.steps(state) if label.startswith(event)]
            if not found:
                raise LookupError(f"{event}: only {[label for label, _ in self.steps(state)]}")
            state = found[0]
        self.fault_kinds = self.setup.kinds
        return state._replace(faults_left=self.setup.faults)

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every possible step."""
        for index, actor in enumerate(state.actors):
            yield from self.roles[index](state, index, actor)
            if (
                state.faults_left
                and "crash" in self.fault_kinds
                and actor.phase not in ("idle", "read", "end", "dead")
            ):
                yield f"{index} crashes in {actor.phase}", self._crash(state, index)
        yield from self._deliveries(state)
        if state.faults_left:
            yield from self._faults(state._replace(faults_left=state.faults_left - 1))

    def _deliveries(self, state: State) -> Iterator[Step]:
        idle = next((i for i in range(self.setup.consumers) if state.actors[i].phase == "idle"), None)
        for place in sorted(set(state.queue)):
            submission_id, holder = place
            if holder == VISIBLE and idle is not None:
                taken = replaced(state, place, (submission_id, idle))
                yield (
                    f"{idle} receives {submission_id}",
                    taken.with_actor(idle, phase="received", submission_id=submission_id),
                )
            if holder == NOBODY:
                yield f"{submission_id} visible again", replaced(state, place, (submission_id, VISIBLE))
        if state.dead and state.actors[self.dead_letter_function].phase == "idle":
            submission_id = state.dead[0]
            yield (
                "dead letters receives",
                state.with_actor(self.dead_letter_function, phase="received", submission_id=submission_id),
            )

    def _faults(self, state: State) -> Iterator[Step]:
        fault_kinds = self.fault_kinds
        if "expire" in fault_kinds and (row := self.rows.expire(state.row)) != state.row:
            yield "lease runs out", state._replace(row=row)
        for place in sorted(set(state.queue)):
            submission_id, holder = place
            if "lapse" in fault_kinds and holder not in (VISIBLE, NOBODY):
                yield (
                    f"{submission_id} visible although in flight",
                    replaced(state, place, (submission_id, VISIBLE)),
                )
            if "dead_letter" in fault_kinds and holder == VISIBLE:
                gone = replaced(state, place, None)
                yield (
                    f"{submission_id} to the dead-letter queue",
                    gone._replace(dead=(*state.dead, submission_id)),
                )
            if "twice" in fault_kinds and holder == VISIBLE:
                yield f"{submission_id} twice", state._replace(queue=tuple(sorted((*state.queue, place))))
        if "sweep" in fault_kinds and state.actors[self.sweep].phase == "idle" and state.row:
            yield "sweep begins", state.with_actor(self.sweep, phase="read")
        if "outlive" in fault_kinds and state.actors[self.sweep].phase == "idle" and state.row:
            yield (
                "sweep finds it too old",
                state.with_actor(self.sweep, phase="end_unclaimed", view=state.row),
            )

    def _crash(self, state: State, index: int) -> State:
        actor = state.actors[index]
        objects = frozenset(
            # A worker that lost its lease wrote these after the outcome and was killed before it could delete
            # them. The protocol does not guarantee that such objects are deleted.
            o._replace(worker=NOBODY) if o.late and wrote(o, index, actor) else o
            for o in state.objects
        )
        queue = tuple(sorted((a, NOBODY if h == index else h) for a, h in state.queue))
        lasting = index < self.setup.consumers or index >= self.sweep
        after = state.with_actor(index, **Actor("idle" if lasting else "dead")._asdict())
        return after._replace(queue=queue, objects=objects, faults_left=state.faults_left - 1)
