"""Model of the API's submit and cancel, the sweep, and the dead-letter function."""

from collections.abc import Iterator

from domain.delivery import Action, decide
from domain.errors import ErrorCode
from domain.protocol import is_repeated_submit
from domain.row import Status
from tests.model.steps import INFERRING, Step, Steps
from tests.model.world import Actor, State, Violation
from tests.support.clock import NOW


class Services(Steps):
    """Enumerates the next steps of the Lambda functions."""

    def _submitter(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case "read":
                yield f"submit {actor.submission_id} reads", self._after_reading(state, index, state.row)
            case "submit" | "resubmit":
                done, after, _, lost_responses = self._write(
                    state, index, actor.phase, submission_id=actor.submission_id
                )
                if done:
                    after = after._replace(accepted=(*after.accepted, actor.submission_id)).with_actor(
                        index, phase="send"
                    )
                    yield from ((label, s._replace(accepted=after.accepted)) for label, s in lost_responses)
                    yield f"{actor.phase} {actor.submission_id} accepted", after
                else:
                    yield (
                        f"{actor.phase} {actor.submission_id} refused",
                        self._after_reading(after, index, after.actors[index].view),
                    )
            case "notify" | "publish" | "record":
                yield from self._notify_steps(state, index, actor, then="read")
            case _:
                yield from self._publish_steps(state, index, actor, then="end")

    def _after_reading(self, state: State, index: int, view: int) -> State:
        row = self.rows.rows[view]
        digest = self.setup.digests[state.actors[index].submission_id]
        if row is None:
            phase = "submit"
        elif is_repeated_submit(row, digest, NOW) or not row.status.final:
            phase = "end"
        else:
            phase = "resubmit" if row.notified else "notify"
        return state.with_actor(index, phase=phase, view=view)

    def _canceller(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case "read" if state.row:
                yield f"cancel {index} reads", self._after_status(state, index, state.row)
            case "cancel_queued" | "request_cancel":
                yield from self._cancel(state, index, actor)
            case "notify" | "publish" | "record":
                yield from self._notify_steps(state, index, actor, then="end")

    def _after_status(self, state: State, index: int, view: int) -> State:
        status = self.rows.row(view).status
        phases = {Status.QUEUED: "cancel_queued", Status.RUNNING: "request_cancel"}
        return state.with_actor(index, phase=phases.get(status, "end"), view=view)

    def _cancel(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        before = self.rows.row(state.row)
        done, after, row, lost_responses = self._write(state, index, actor.phase)
        if not done or row is None:
            yield f"{actor.phase} refused", self._after_status(after, index, after.actors[index].view)
            return
        code = 200 if actor.phase == "cancel_queued" else 202
        if (
            code == 200
            and before.status.final is False
            and any(
                other.phase in INFERRING
                and other.fence == before.fence
                and other.submission_id == int(before.submission_id)
                for other in state.actors[: self.setup.consumers]
            )
        ):
            raise Violation("a cancel was confirmed while its task's worker infers")
        cancelled = after.cancelled | {(int(row.submission_id), code)}
        yield from ((label, s._replace(cancelled=cancelled)) for label, s in lost_responses)
        after = after._replace(cancelled=cancelled)
        yield f"{actor.phase}: {code}", after.with_actor(index, phase="notify" if code == 200 else "end")

    def _deleter(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case "read" if state.row:
                row = self.rows.row(state.row)
                if not row.status.final or row.outputs_deleted:
                    phase = "end"
                else:
                    phase = "delete" if row.notified else "notify"
                yield f"delete {index} reads", state.with_actor(index, phase=phase, view=state.row)
            case "delete":
                row = self.rows.row(actor.view)
                submission_id = int(row.submission_id)
                objects = frozenset(
                    one
                    for one in state.objects
                    if one.submission_id != submission_id or one.fence not in row.fences
                )
                after = state._replace(objects=objects, deleted=state.deleted | {submission_id})
                yield f"{index} deletes the outputs", after.with_actor(index, phase="record_deletion")
            case "record_deletion":
                done, after, _, lost_responses = self._write(state, index, "record_output_deletion")
                yield from lost_responses
                yield (
                    f"{index} records the deletion: {done}",
                    after.with_actor(index, phase="end" if done else "read"),
                )
            case "notify" | "publish" | "record":
                yield from self._notify_steps(state, index, actor, then="read")

    def _sweep(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case "read":
                row = self.rows.row(state.row)
                has_message = bool(state.queue or state.dead)
                phase = "idle"
                pending = row.text("pending_runtime") is not None  # as the sweep's index shows it
                if row.status.final and pending:
                    phase = "notify"
                elif row.status is Status.QUEUED and (pending or not has_message):
                    phase = "send"
                yield (
                    "sweep reads",
                    state.with_actor(index, phase=phase, view=state.row if phase != "idle" else 0),
                )
            case "end_unclaimed":
                row = self.rows.row(actor.view)
                phase = "idle"
                after = state
                if not row.status.final:
                    done, after, _, lost_responses = self._write(
                        state, index, "end_unclaimed", code=ErrorCode.TASK_EXPIRED, message=""
                    )
                    yield from lost_responses
                    phase = "notify" if done else "idle"
                yield f"sweep expires: {phase}", after.with_actor(index, phase=phase)
            case "notify" | "publish" | "record":
                yield from self._notify_steps(state, index, actor, then="idle")
            case _:
                yield from self._publish_steps(state, index, actor, then="idle")

    def _dead_letter_function(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        match actor.phase:
            case "received":
                action = decide(
                    self.rows.rows[state.row], self.rows.messages[actor.submission_id], NOW
                ).action
                phases = {
                    Action.WAIT: "idle",
                    Action.NOTIFY: "notify",
                    Action.CLAIM: "end_unclaimed",
                    Action.END_UNCLAIMED: "end_unclaimed",
                }
                yield (
                    "dead letters reads",
                    state.with_actor(index, phase=phases.get(action, "dead_letter"), view=state.row),
                )
            case "end_unclaimed":
                done, after, _, lost_responses = self._write(
                    state, index, "end_unclaimed", code=ErrorCode.TASK_ABANDONED, message=""
                )
                yield from lost_responses
                yield (
                    f"dead letters ends the task: {done}",
                    after.with_actor(index, phase="notify" if done else "received"),
                )
            case "notify" | "publish" | "record":
                yield from self._notify_steps(state, index, actor, then="dead_letter")
            case "dead_letter":
                dead = list(state.dead)
                dead.remove(actor.submission_id)
                yield (
                    "dead letters archives",
                    state._replace(dead=tuple(dead)).with_actor(index, **Actor()._asdict()),
                )
