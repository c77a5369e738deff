"""Model of the Lambda functions: submit, cancel, delete outputs, sweep, and archive dead letters."""

from collections.abc import Iterator

from domain.delivery import Action, decide
from domain.errors import ErrorCode
from domain.protocol import is_repeated_submit
from domain.row import Status
from tests.model.phases import INFERRING, Phase
from tests.model.steps import Step, Steps
from tests.model.world import Actor, State, Violation
from tests.support.clock import NOW

CANCEL_PHASES = {Status.QUEUED: Phase.CANCEL_QUEUED, Status.RUNNING: Phase.REQUEST_CANCEL}
DEAD_LETTER_PHASES = {
    # Another worker may still finish the task, so the dead letter stays in its queue.
    Action.WAIT: Phase.IDLE,
    Action.NOTIFY: Phase.DELETE_ORPHANS,
    # No consumer will receive the message any more, so a task that could be claimed is ended instead.
    Action.CLAIM: Phase.END_UNCLAIMED,
    Action.END_UNCLAIMED: Phase.END_UNCLAIMED,
}


class Services(Steps):
    """Lists the next steps of the Lambda functions."""

    def _submit_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case Phase.READ_ROW:
                yield f"{self.names[index]} reads the row", self._after_reading(state, index, state.row)
            case Phase.SUBMIT | Phase.RESUBMIT:
                yield from self._write_submission_steps(state, index, actor)
            case Phase.DELETE_ORPHANS | Phase.SEND_CALLBACK | Phase.RECORD_CALLBACK:
                yield from self._callback_steps(state, index, actor, next_phase=Phase.READ_ROW)
            case _:
                yield from self._publish_steps(state, index, actor, next_phase=Phase.ENDED)

    def _after_reading(self, state: State, index: int, row_number: int) -> State:
        row = self.rows.rows[row_number]
        digest = self.setup.digests[state.actors[index].submission_id]
        if row is None:
            phase = Phase.SUBMIT
        elif is_repeated_submit(row, digest, NOW) or not row.status.final:
            phase = Phase.ENDED
        else:
            phase = Phase.RESUBMIT if row.notified else Phase.DELETE_ORPHANS
        return state.with_actor(index, phase=phase, view=row_number)

    def _write_submission_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        name = self.names[index]
        transition = "submit" if actor.phase == Phase.SUBMIT else "resubmit"
        write = self._write(state, index, transition, submission_id=actor.submission_id)
        after = write.state
        if not write.is_done:
            yield f"{name} is refused", self._after_reading(after, index, after.actors[index].view)
            return
        accepted_ids = (*after.accepted, actor.submission_id)
        for label, without_response in write.response_lost_steps:
            yield label, without_response._replace(accepted=accepted_ids)
        yield (
            f"{name} is accepted",
            after._replace(accepted=accepted_ids).with_actor(index, phase=Phase.PUBLISH),
        )

    def _cancel_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case Phase.READ_ROW if state.row:
                yield f"{self.names[index]} reads the row", self._after_status(state, index, state.row)
            case Phase.CANCEL_QUEUED | Phase.REQUEST_CANCEL:
                yield from self._write_cancel_steps(state, index, actor)
            case Phase.DELETE_ORPHANS | Phase.SEND_CALLBACK | Phase.RECORD_CALLBACK:
                yield from self._callback_steps(state, index, actor, next_phase=Phase.ENDED)

    def _after_status(self, state: State, index: int, row_number: int) -> State:
        status = self.rows.row(row_number).status
        return state.with_actor(index, phase=CANCEL_PHASES.get(status, Phase.ENDED), view=row_number)

    def _write_cancel_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        name, before = self.names[index], self.rows.row(state.row)
        is_immediate = actor.phase == Phase.CANCEL_QUEUED
        write = self._write(state, index, "cancel_queued" if is_immediate else "request_cancel")
        after, row = write.state, write.row
        if not write.is_done or row is None:
            yield f"{name} is refused", self._after_status(after, index, after.actors[index].view)
            return
        is_inferring = any(
            other.phase in INFERRING
            and other.fence == before.fence
            and other.submission_id == int(before.submission_id)
            for other in state.actors[: self.setup.consumers]
        )
        if is_immediate and not before.status.final and is_inferring:
            raise Violation("a cancel was confirmed while its task's worker infers")
        status = 200 if is_immediate else 202
        cancelled = after.cancelled | {(int(row.submission_id), status)}
        for label, without_response in write.response_lost_steps:
            yield label, without_response._replace(cancelled=cancelled)
        next_phase = Phase.DELETE_ORPHANS if is_immediate else Phase.ENDED
        yield (
            f"{name} is accepted: {status}",
            after._replace(cancelled=cancelled).with_actor(index, phase=next_phase),
        )

    def _delete_outputs_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        name = self.names[index]
        match actor.phase:
            case Phase.READ_ROW if state.row:
                row = self.rows.row(state.row)
                if not row.status.final or row.outputs_deleted:
                    phase = Phase.ENDED
                else:
                    phase = Phase.DELETE_OUTPUTS if row.notified else Phase.DELETE_ORPHANS
                yield f"{name} reads the row", state.with_actor(index, phase=phase, view=state.row)
            case Phase.DELETE_OUTPUTS:
                row = self.rows.row(actor.view)
                submission_id = int(row.submission_id)
                objects = frozenset(
                    stored_object
                    for stored_object in state.objects
                    if stored_object.submission_id != submission_id or stored_object.fence not in row.fences
                )
                after = state._replace(objects=objects, deleted=state.deleted | {submission_id})
                yield f"{name} deletes the outputs", after.with_actor(index, phase=Phase.RECORD_DELETION)
            case Phase.RECORD_DELETION:
                write = self._write(state, index, "record_output_deletion")
                yield from write.response_lost_steps
                label = "records the deletion" if write.is_done else "may not record the deletion"
                yield (
                    f"{name} {label}",
                    write.state.with_actor(index, phase=Phase.ENDED if write.is_done else Phase.READ_ROW),
                )
            case Phase.DELETE_ORPHANS | Phase.SEND_CALLBACK | Phase.RECORD_CALLBACK:
                yield from self._callback_steps(state, index, actor, next_phase=Phase.READ_ROW)

    def _sweep_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case Phase.IDLE:
                pass
            case Phase.READ_ROW:
                row = self.rows.row(state.row)
                has_message = bool(state.queue or state.dead)
                is_pending = row.text("pending_runtime") is not None  # as the sweep's index shows it
                if row.status.final and is_pending:
                    phase = Phase.DELETE_ORPHANS
                elif row.status is Status.QUEUED and (is_pending or not has_message):
                    phase = Phase.PUBLISH
                else:
                    phase = Phase.IDLE
                view = 0 if phase is Phase.IDLE else state.row
                yield "sweep reads the row", state.with_actor(index, phase=phase, view=view)
            case Phase.END_UNCLAIMED:
                yield from self._sweep_end_steps(state, index, actor)
            case Phase.DELETE_ORPHANS | Phase.SEND_CALLBACK | Phase.RECORD_CALLBACK:
                yield from self._callback_steps(state, index, actor, next_phase=Phase.IDLE)
            case _:
                yield from self._publish_steps(state, index, actor, next_phase=Phase.IDLE)

    def _sweep_end_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        if self.rows.row(actor.view).status.final:
            yield "sweep finds the task finished", state.with_actor(index, phase=Phase.IDLE)
            return
        write = self._write(state, index, "end_unclaimed", code=ErrorCode.TASK_EXPIRED, message="")
        yield from write.response_lost_steps
        phase = Phase.DELETE_ORPHANS if write.is_done else Phase.IDLE
        yield f"sweep ends the task: {write.is_done}", write.state.with_actor(index, phase=phase)

    def _dead_letter_steps(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case Phase.DECIDE:
                message = self.rows.messages[actor.submission_id]
                action = decide(self.rows.rows[state.row], message, NOW).action
                phase = DEAD_LETTER_PHASES.get(action, Phase.ARCHIVE_DEAD_LETTER)
                yield "dead letters reads the row", state.with_actor(index, phase=phase, view=state.row)
            case Phase.END_UNCLAIMED:
                write = self._write(state, index, "end_unclaimed", code=ErrorCode.TASK_ABANDONED, message="")
                yield from write.response_lost_steps
                phase = Phase.DELETE_ORPHANS if write.is_done else Phase.DECIDE
                yield (
                    f"dead letters ends the task: {write.is_done}",
                    write.state.with_actor(index, phase=phase),
                )
            case Phase.DELETE_ORPHANS | Phase.SEND_CALLBACK | Phase.RECORD_CALLBACK:
                yield from self._callback_steps(state, index, actor, next_phase=Phase.ARCHIVE_DEAD_LETTER)
            case Phase.ARCHIVE_DEAD_LETTER:
                dead = list(state.dead)
                dead.remove(actor.submission_id)
                yield "dead letters archives", state._replace(dead=tuple(dead)).with_idle_actor(index)
