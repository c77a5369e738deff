"""All actors of the model together: the next steps of each of them, and the faults that can happen."""

from collections.abc import Callable, Iterator

from tests.model.consumer import Consumer
from tests.model.phases import FaultKind, Phase
from tests.model.services import Services
from tests.model.steps import Setup, Step, is_written_by, move_message
from tests.model.world import NOBODY, VISIBLE, Actor, Rows, State

WITHOUT_STEPS = frozenset({Phase.IDLE, Phase.ENDED, Phase.CRASHED})


class Actors(Consumer, Services):
    """Lists the steps that are possible in a state of a setup."""

    def __init__(self, setup: Setup, rows: Rows) -> None:
        super().__init__(setup, rows)
        counts: list[tuple[str, Callable[[State, int, Actor], Iterator[Step]], int]] = [
            ("consumer", self._consumer_steps, setup.consumers),
            ("submit", self._submit_steps, len(setup.digests)),
            ("cancel", self._cancel_steps, setup.cancels),
            ("delete", self._delete_outputs_steps, setup.deletions),
        ]
        self.names = [f"{name} {number}" for name, _, count in counts for number in range(count)]
        self.step_functions = [function for _, function, count in counts for _ in range(count)]
        self.sweep, self.dead_letter_function = len(self.names), len(self.names) + 1
        self.names += ["sweep", "dead letters"]
        self.step_functions += [self._sweep_steps, self._dead_letter_steps]

    def first_state(self) -> State:
        """Return the state after the setup's prelude, in which every kind of fault can happen."""
        first_submit = self.setup.consumers
        actors = [Actor() for _ in self.names]
        for submission_id in range(len(self.setup.digests)):
            actors[first_submit + submission_id] = Actor(Phase.READ_ROW, submission_id)
        for index in range(first_submit + len(self.setup.digests), self.sweep):
            actors[index] = Actor(Phase.READ_ROW)
        if self.setup.is_direct:
            actors[first_submit] = Actor(Phase.ENDED)
        queue = ((0, VISIBLE),) if self.setup.is_direct else ()
        state = State(0, tuple(actors), queue=queue, faults_left=len(self.setup.prelude))
        self.fault_kinds = frozenset(FaultKind)
        for event in self.setup.prelude:
            matching = [after for label, after in self.steps(state) if label.startswith(event)]
            if not matching:
                raise LookupError(f"{event}: only {[label for label, _ in self.steps(state)]}")
            state = matching[0]
        self.fault_kinds = self.setup.kinds
        return state._replace(faults_left=self.setup.faults)

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every possible step."""
        for index, actor in enumerate(state.actors):
            yield from self.step_functions[index](state, index, actor)
            # A request that has not read the row has done nothing that its crash could interrupt.
            can_crash = actor.phase not in WITHOUT_STEPS and actor.phase != Phase.READ_ROW
            if can_crash and self._can_fail(state, FaultKind.CRASH):
                yield f"{self.names[index]} crashes {actor.phase}", self._after_crash(state, index)
        yield from self.delivery_steps(state)
        if state.faults_left:
            yield from self._message_fault_steps(state.with_fault())
            yield from self._sweep_fault_steps(state.with_fault())

    def delivery_steps(self, state: State) -> Iterator[Step]:
        """Yield the steps in which the queues deliver a message, or make it visible again."""
        idle_consumer = next(
            (index for index in range(self.setup.consumers) if state.actors[index].phase == Phase.IDLE), None
        )
        for message in sorted(set(state.queue)):
            submission_id, holder = message
            if holder == VISIBLE and idle_consumer is not None:
                received = move_message(state, message, (submission_id, idle_consumer))
                yield (
                    f"{self.names[idle_consumer]} receives {submission_id}",
                    received.with_actor(idle_consumer, phase=Phase.DECIDE, submission_id=submission_id),
                )
            if holder == NOBODY:
                yield (
                    f"message {submission_id} is visible again",
                    move_message(state, message, (submission_id, VISIBLE)),
                )
        if state.dead and state.actors[self.dead_letter_function].phase == Phase.IDLE:
            submission_id = state.dead[0]
            yield (
                f"dead letters receives {submission_id}",
                state.with_actor(self.dead_letter_function, phase=Phase.DECIDE, submission_id=submission_id),
            )

    def _message_fault_steps(self, state: State) -> Iterator[Step]:
        kinds = self.fault_kinds
        if FaultKind.LEASE_EXPIRED in kinds and (row := self.rows.expire(state.row)) != state.row:
            yield "the lease expires", state._replace(row=row)
        for message in sorted(set(state.queue)):
            submission_id, holder = message
            if FaultKind.REDELIVERED in kinds and holder not in (VISIBLE, NOBODY):
                yield (
                    f"message {submission_id} is visible while processed",
                    move_message(state, message, (submission_id, VISIBLE)),
                )
            if FaultKind.DEAD_LETTERED in kinds and holder == VISIBLE:
                yield (
                    f"message {submission_id} is dead-lettered",
                    move_message(state, message, None)._replace(dead=(*state.dead, submission_id)),
                )
            if FaultKind.DELIVERED_TWICE in kinds and holder == VISIBLE:
                queue = tuple(sorted((*state.queue, message)))
                yield f"message {submission_id} is copied", state._replace(queue=queue)

    def _sweep_fault_steps(self, state: State) -> Iterator[Step]:
        if state.actors[self.sweep].phase != Phase.IDLE or not state.row:
            return
        if FaultKind.SWEEP_RUNS in self.fault_kinds:
            yield "sweep begins", state.with_actor(self.sweep, phase=Phase.READ_ROW)
        if FaultKind.TASK_TOO_OLD in self.fault_kinds:
            yield (
                "sweep finds the task too old",
                state.with_actor(self.sweep, phase=Phase.END_UNCLAIMED, view=state.row),
            )

    def _after_crash(self, state: State, index: int) -> State:
        actor = state.actors[index]
        objects = frozenset(
            # A worker that lost its lease wrote these after the outcome and was killed before it could delete
            # them. The protocol does not guarantee that such objects are deleted.
            stored_object._replace(worker=NOBODY)
            if stored_object.is_late and is_written_by(stored_object, index, actor)
            else stored_object
            for stored_object in state.objects
        )
        queue = tuple(
            sorted(
                (submission_id, NOBODY if holder == index else holder)
                for submission_id, holder in state.queue
            )
        )
        # ECS, the schedule and the event source start these again; nobody repeats a caller's request.
        is_restarted = index < self.setup.consumers or index >= self.sweep
        after = (
            state.with_idle_actor(index)
            if is_restarted
            else state.with_actor(index, **Actor(Phase.CRASHED)._asdict())
        )
        return after._replace(queue=queue, objects=objects).with_fault()
