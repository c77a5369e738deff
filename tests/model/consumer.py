"""Model of the consumer for the model checker: the steps that a consumer can take from a given state.

The checker tries every step, so one real event with several outcomes (a write is done, is refused, or is done
but its response is lost) is several steps here. See `phases.py` for what each phase means.
"""

from collections.abc import Iterator

from domain.delivery import Action, decide, orphaned_objects
from domain.limits import MAX_ATTEMPTS
from domain.row import Row, Status
from tests.model.phases import FINISHING, HAS_LEASE, FaultKind, Phase
from tests.model.steps import Step, Steps, is_written_by, move_message, object_name
from tests.model.world import FENCES, NOBODY, VISIBLE, Actor, State, Stored, Violation
from tests.support.clock import NOW

PHASE_AFTER_DECISION = {
    Action.CREATE_ROW: Phase.CREATE_ROW,
    Action.DELETE_MESSAGE: Phase.DELETE_MESSAGE,
    Action.NOTIFY: Phase.DELETE_ORPHANS,
    Action.WAIT: Phase.RELEASE_MESSAGE,
    Action.END_UNCLAIMED: Phase.END_UNCLAIMED,
    Action.CLAIM: Phase.CLAIM,
}
FINAL_STATUS = {
    Phase.FINISH_COMPLETED: Status.COMPLETED,
    Phase.FINISH_FAILED: Status.FAILED,
    Phase.FINISH_CANCELLED: Status.CANCELLED,
}
REUSABLE_FENCES = FENCES[:3]
"""Fences that a worker may pick a second time: no setup uses more, and each one multiplies the states."""


class Consumer(Steps):
    """Lists a consumer's next steps; its heartbeat can come between any two of them."""

    def _consumer_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:  # noqa: C901 - a table
        name = self.names[index]
        if actor.fence:
            yield from self._heartbeat_steps(state, index, actor)
        match actor.phase:
            case Phase.IDLE:
                pass
            case Phase.DECIDE:
                yield f"{name} reads the row", self._after_decision(state, index, state.row)
            case Phase.CREATE_ROW:
                yield from self._create_row_steps(state, index, actor)
            case Phase.DELETE_MESSAGE:
                without_message = move_message(state, (actor.submission_id, index), None)
                yield f"{name} deletes the message", without_message.with_idle_actor(index)
            case Phase.RELEASE_MESSAGE:
                yield f"{name} releases the message", self._after_release(state, index)
            case Phase.END_UNCLAIMED:
                yield from self._end_unclaimed_steps(state, index, actor)
            case Phase.CLAIM:
                yield from self._claim_steps(state, index, actor)
            case Phase.LEASE_LOST:
                yield f"{name} deletes its objects", self._after_own_cleanup(state, index, actor)
            case Phase.DELETE_ORPHANS | Phase.SEND_CALLBACK | Phase.RECORD_CALLBACK:
                yield from self._callback_steps(state, index, actor, next_phase=Phase.DELETE_MESSAGE)
            case _:
                yield from self._work_steps(state, index, actor)

    def _after_decision(self, state: State, index: int, row_number: int) -> State:
        message = self.rows.messages[state.actors[index].submission_id]
        action = decide(self.rows.rows[row_number], message, NOW).action
        return state.with_actor(index, phase=PHASE_AFTER_DECISION[action], view=row_number, fence="")

    def _after_release(self, state: State, index: int) -> State:
        submission_id = state.actors[index].submission_id
        return move_message(state, (submission_id, index), (submission_id, VISIBLE)).with_idle_actor(index)

    def _create_row_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        write = self._write(state, index, "submit", submission_id=actor.submission_id)
        yield from write.response_lost_steps
        # A message that was published directly has no submit call that accepts it: writing its row does.
        accepted_ids = write.state.accepted or (actor.submission_id,)
        after = write.state._replace(accepted=accepted_ids)
        yield (
            f"{self.names[index]} creates the row",
            self._after_decision(after, index, after.actors[index].view),
        )

    def _end_unclaimed_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        decision = decide(self.rows.row(actor.view), self.rows.messages[actor.submission_id], NOW)
        write = self._write(state, index, "end_unclaimed", code=decision.code, message=decision.message)
        yield from write.response_lost_steps
        after = write.state
        if write.is_done:
            yield f"{self.names[index]} ends the task", after.with_actor(index, phase=Phase.DELETE_ORPHANS)
        else:
            yield (
                f"{self.names[index]} may not end the task",
                self._after_decision(after, index, after.actors[index].view),
            )

    def _claim_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        name = self.names[index]
        for fence, is_reused in _possible_fences(self.rows.row(actor.view)):
            if is_reused and not self._can_fail(state, FaultKind.FENCE_REUSED):
                continue
            before = state.with_fault() if is_reused else state
            write = self._write(before, index, "claim", worker=f"w{index}", fence=fence)
            if write.is_done and write.row is not None:
                after = write.state.with_actor(index, phase=Phase.START, fence=fence)
                self._check_exclusive_fence(after, index, write.row)
                yield from write.response_lost_steps
                yield f"{name} claims with {fence}", after
            else:
                after = write.state
                yield (
                    f"{name} may not claim",
                    self._after_decision(after, index, after.actors[index].view),
                )

    def _check_exclusive_fence(self, state: State, index: int, row: Row) -> None:
        for other, actor in enumerate(state.actors[: self.setup.consumers]):
            has_same_fence = other != index and actor.phase in HAS_LEASE and actor.fence == row.fence
            if has_same_fence and self.rows.row(actor.view).submission_id == row.submission_id:
                raise Violation(
                    f"consumers {other} and {index} both have fence {row.fence} of submission"
                    f" {row.submission_id}"
                )

    def _heartbeat_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        name = self.names[index]
        write = self._write(state, index, "renew")
        after, row = write.state, write.row
        if actor.phase not in HAS_LEASE:
            # The heartbeat is a thread: it can send one more after the work has ended, and what that returns
            # is not looked at.
            yield f"{name} renews late", after.with_actor(index, view=actor.view)
        elif not write.is_done:
            # A consumer that is finishing learns the same from its final write, which is refused too.
            if actor.phase not in FINISHING:
                yield f"{name} may not renew", after.with_actor(index, phase=Phase.LEASE_LOST)
        elif row is not None and row.cancel_requested and actor.phase not in FINISHING:
            yield f"{name} renews, is cancelled", after.with_actor(index, phase=Phase.FINISH_CANCELLED)
        else:
            yield f"{name} renews", after

    def _work_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        if actor.phase == Phase.START:
            yield from self._start_steps(state, index)
        if actor.phase in (Phase.START, Phase.STORE_IMAGE):
            yield from self._interruption_steps(state, index, actor)
        match actor.phase:
            case Phase.STORE_IMAGE:
                yield self._store_step(state, index, "image", next_phase=Phase.STORE_OUTPUT)
            case Phase.STORE_OUTPUT:
                yield self._store_step(state, index, "output", next_phase=Phase.FINISH_COMPLETED)
            case Phase.REPLACE_FENCE:
                yield from self._replace_fence_steps(state, index, actor)
            case Phase.RELEASE_TASK | Phase.RELEASE_TASK_AND_COUNT:
                yield from self._release_task_steps(state, index, actor)
            case Phase.FINISH_COMPLETED | Phase.FINISH_FAILED | Phase.FINISH_CANCELLED:
                yield from self._finish_steps(state, index, actor)

    def _interruption_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        name = self.names[index]
        if actor.phase == Phase.START and self._can_fail(state, FaultKind.INVALID_TASK):
            yield (
                f"{name} rejects the task as invalid",
                state.with_fault().with_actor(index, phase=Phase.FINISH_FAILED),
            )
        if self._can_fail(state, FaultKind.INTERRUPTED):
            yield f"{name} shuts down", state.with_fault().with_actor(index, phase=Phase.RELEASE_TASK)
            is_last_attempt = self.rows.row(actor.view).attempts >= MAX_ATTEMPTS
            phase = Phase.FINISH_FAILED if is_last_attempt else Phase.RELEASE_TASK_AND_COUNT
            yield f"{name} meets a retryable error", state.with_fault().with_actor(index, phase=phase)

    def _start_steps(self, state: State, index: int) -> Iterator[Step]:
        name = self.names[index]
        write = self._write(state, index, "start")
        yield from write.response_lost_steps
        if not write.is_done:
            yield f"{name} may not start", self._after_refused_write(write.state, index, write.row)
            return
        assert write.row is not None
        submission_id = state.actors[index].submission_id
        if int(write.row.submission_id) != submission_id:
            raise Violation(
                f"{name} started submission {write.row.submission_id} with the message of {submission_id}"
            )
        yield f"{name} starts", write.state.with_actor(index, phase=Phase.STORE_IMAGE)

    def _after_refused_write(self, state: State, index: int, row: Row | None) -> State:
        """Return the state after a refused write: the task is cancelled if that was requested, else lost."""
        actor = state.actors[index]
        is_own_row = (
            row is not None and row.fence == actor.fence and int(row.submission_id) == actor.submission_id
        )
        if is_own_row and row is not None and row.cancel_requested and not row.status.final:
            return state.with_actor(index, phase=Phase.FINISH_CANCELLED)
        return state.with_actor(index, phase=Phase.LEASE_LOST)

    def _store_step(self, state: State, index: int, kind: str, *, next_phase: Phase) -> Step:
        name, actor = self.names[index], state.actors[index]
        if any(
            stored_object.fence == actor.fence and stored_object.kind == kind
            for stored_object in state.objects
        ):
            return (
                f"{name} finds the name of its {kind} taken",
                state.with_actor(index, phase=Phase.REPLACE_FENCE),
            )
        row = self.rows.rows[state.row]
        is_late = row is None or int(row.submission_id) != actor.submission_id or row.status.final
        stored_object = Stored(actor.fence, kind, actor.submission_id, index, is_late)
        after = state._replace(objects=state.objects | {stored_object})
        return f"{name} stores the {kind} of {stored_object.fence}", after.with_actor(index, phase=next_phase)

    def _replace_fence_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        name = self.names[index]
        for fence, is_reused in _possible_fences(self.rows.row(actor.view)):
            if is_reused and (not self._can_fail(state, FaultKind.FENCE_REUSED) or fence == actor.fence):
                continue
            before = state.with_fault() if is_reused else state
            write = self._write(before, index, "replace_fence", fence=fence)
            yield from write.response_lost_steps
            if write.is_done and write.row is not None:
                after = write.state.with_actor(index, phase=Phase.STORE_IMAGE, fence=fence)
                self._check_exclusive_fence(after, index, write.row)
                yield f"{name} replaces its fence by {fence}", after
            elif is_reused:
                yield f"{name} picks a used fence", write.state.with_actor(index, view=actor.view)
            else:
                yield (
                    f"{name} may not replace its fence",
                    write.state.with_actor(index, phase=Phase.LEASE_LOST),
                )

    def _release_task_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        count_attempt = actor.phase == Phase.RELEASE_TASK_AND_COUNT
        write = self._write(state, index, "release", count_attempt=count_attempt)
        yield from write.response_lost_steps
        if write.is_done:
            after = self._after_release(write.state, index)
        else:
            after = self._after_refused_write(write.state, index, write.row)
        label = "releases the task" if write.is_done else "may not release the task"
        yield f"{self.names[index]} {label}", after

    def _finish_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        name, status = self.names[index], FINAL_STATUS[actor.phase]
        write = self._write(state, index, "finish", status=status)
        for label, without_response in write.response_lost_steps:
            unsure = without_response.with_actor(index, finish_sent=True)
            yield label, unsure
            # No repetition gets a response either, so the consumer releases a task that may have its outcome.
            yield f"{label}, always", unsure.with_actor(index, phase=Phase.RELEASE_TASK_AND_COUNT)
        after = write.state.with_actor(index, finish_sent=True)
        if not write.is_done:
            yield f"{name} may not finish", after.with_actor(index, phase=Phase.LEASE_LOST)
            return
        assert write.row is not None
        if int(write.row.submission_id) != actor.submission_id:
            raise Violation(
                f"{name} wrote the outcome of submission {actor.submission_id} to {write.row.submission_id}"
            )
        own_kinds = {
            stored_object.kind
            for stored_object in after.objects
            if is_written_by(stored_object, index, actor)
        }
        if status is Status.COMPLETED and own_kinds != {"image", "output"}:
            raise Violation(f"{name} completed the task, but has only written {sorted(own_kinds)}")
        yield f"{name} finishes: {status}", after.with_actor(index, phase=Phase.DELETE_ORPHANS)

    def _after_own_cleanup(self, state: State, index: int, actor: Actor) -> State:
        """Return the state after a consumer without a lease has deleted what `orphaned_objects` returns."""
        row = self.rows.rows[state.row]
        own_objects = {
            object_name(stored_object): stored_object
            for stored_object in state.objects
            if is_written_by(stored_object, index, actor)
        }
        orphans = orphaned_objects(row, str(actor.submission_id), own_objects, finish_sent=actor.finish_sent)
        objects = state.objects - {own_objects[name] for name in orphans}
        if row is not None and int(row.submission_id) != actor.submission_id:
            # The consumer cannot know whether the row of its submission named these objects, so it keeps
            # them, and they may remain forever. With the worker NOBODY, the checker does not count them.
            objects = frozenset(
                stored_object._replace(worker=NOBODY)
                if stored_object.is_late and is_written_by(stored_object, index, actor)
                else stored_object
                for stored_object in objects
            )
        return state._replace(objects=objects).with_actor(
            index, phase=Phase.DECIDE, fence="", finish_sent=False
        )


def _possible_fences(row: Row) -> list[tuple[str, bool]]:
    """Return the fences that a worker can pick, and for each whether it may have been used before."""
    new_fence = next(fence for fence in FENCES if fence not in row.fences)
    return [(new_fence, False), *((fence, True) for fence in REUSABLE_FENCES if fence != new_fence)]
