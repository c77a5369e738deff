"""Model of the consumer for the model checker: the next steps from each of its phases."""

from collections.abc import Iterator

from domain.delivery import decide, orphaned_objects
from domain.limits import MAX_ATTEMPTS
from domain.row import Row, Status
from tests.model.steps import HOLDING, SUFFIXES, Step, Steps, replaced, wrote
from tests.model.world import FENCES, NOBODY, VISIBLE, Actor, State, Stored, Violation
from tests.support.clock import NOW


class Consumer(Steps):
    """Enumerates a consumer's next steps; heartbeats may happen between any two of them."""

    def _consumer(self, state: State, index: int, actor: Actor) -> Iterator[Step]:  # noqa: C901 - a table
        if actor.fence:
            yield from self._heartbeat(state, index, actor)
        match actor.phase:
            case "received":
                yield f"{index} reads", self._after_decision(state, index, state.row)
            case "create_row":
                _, after, _, lost_responses = self._write(
                    state, index, "submit", submission_id=actor.submission_id
                )
                # The first one to write the row of a message that was published directly accepts its task.
                accepted = after.accepted or (actor.submission_id,)
                yield from lost_responses
                yield (
                    f"{index} creates the row",
                    self._after_decision(after._replace(accepted=accepted), index, after.actors[index].view),
                )
            case "delete_message":
                gone = replaced(state, (actor.submission_id, index), None)
                yield f"{index} deletes", gone.with_actor(index, **Actor()._asdict())
            case "wait":
                yield f"{index} waits", self._release_message(state, index)
            case "end_unclaimed":
                yield from self._end_unclaimed(state, index, actor)
            case "notify" | "publish" | "record":
                yield from self._notify_steps(state, index, actor, then="delete_message")
            case "claim":
                yield from self._claim(state, index, actor)
            case "lost":
                yield f"{index} cleans up", self._clean_up(state, index, actor)
            case "idle":
                pass
            case _:
                yield from self._work(state, index, actor)

    def _clean_up(self, state: State, index: int, actor: Actor) -> State:
        mine = {f"{o.fence}{SUFFIXES[o.kind]}": o for o in state.objects if wrote(o, index, actor)}
        row = self.rows.rows[state.row]
        gone = {
            mine[name]
            for name in orphaned_objects(row, str(actor.submission_id), mine, finish_sent=actor.finish_sent)
        }
        objects = state.objects - gone
        if row is not None and int(row.submission_id) != actor.submission_id:
            # The row of another submission: late objects remain, as `orphaned_objects` explains. NOBODY
            # exempts them from the check at the end.
            objects = frozenset(
                o._replace(worker=NOBODY) if o.late and wrote(o, index, actor) else o for o in objects
            )
        return state._replace(objects=objects).with_actor(
            index, phase="received", fence="", finish_sent=False
        )

    def _after_decision(self, state: State, index: int, view: int) -> State:
        actor = state.actors[index]
        decision = decide(self.rows.rows[view], self.rows.messages[actor.submission_id], NOW)
        return state.with_actor(index, phase=decision.action.value, view=view, fence="")

    def _release_message(self, state: State, index: int) -> State:
        submission_id = state.actors[index].submission_id
        state = replaced(state, (submission_id, index), (submission_id, VISIBLE))
        return state.with_actor(index, **Actor()._asdict())

    def _end_unclaimed(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        decision = decide(self.rows.row(actor.view), self.rows.messages[actor.submission_id], NOW)
        done, after, _, lost_responses = self._write(
            state, index, "end_unclaimed", code=decision.code, message=decision.message
        )
        yield from lost_responses
        if done:
            yield f"{index} ends the task", after.with_actor(index, phase="notify")
        else:
            yield (
                f"{index} may not end the task",
                self._after_decision(after, index, after.actors[index].view),
            )

    def _claim(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        for fence, collides in _possible_fences(self.rows.row(actor.view)):
            if collides and not (state.faults_left and "draw" in self.fault_kinds):
                continue
            before = state._replace(faults_left=state.faults_left - collides)
            done, after, row, lost_responses = self._write(
                before, index, "claim", worker=f"w{index}", fence=fence
            )
            if done and row is not None:
                after = after.with_actor(index, phase="prep", fence=fence)
                self._check_exclusive(after, index, row)
                yield from lost_responses
                yield f"{index} claims with {fence}", after
            else:
                yield f"{index} may not claim", self._after_decision(after, index, after.actors[index].view)

    def _check_exclusive(self, state: State, index: int, row: Row) -> None:
        for other, actor in enumerate(state.actors[: self.setup.consumers]):
            same_fence = other != index and actor.phase in HOLDING and actor.fence == row.fence
            if same_fence and self.rows.row(actor.view).submission_id == row.submission_id:
                raise Violation("two workers hold the same fence")

    def _heartbeat(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        # The heartbeat is a separate thread, so it can happen once more after the work has ended.
        done, after, row, _ = self._write(state, index, "renew")
        if actor.phase not in HOLDING:
            yield f"{index} renews late", after.with_actor(index, view=actor.view)
        elif not done and not actor.phase.startswith("finish:"):  # otherwise the final write will be refused
            yield f"{index} may not renew", after.with_actor(index, phase="lost")
        elif not done:
            pass
        elif row is not None and row.cancel_requested and actor.phase in ("prep", "infer", "out"):
            yield f"{index} renews, is cancelled", after.with_actor(index, phase="finish:cancelled")
        else:
            yield f"{index} renews", after

    def _work(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        if actor.phase == "prep":
            yield from self._start(state, index)
            if state.faults_left and "bad" in self.fault_kinds:
                bad = state._replace(faults_left=state.faults_left - 1)
                yield f"{index} rejects the task", bad.with_actor(index, phase="finish:failed")
        if actor.phase in ("prep", "infer") and state.faults_left and "release" in self.fault_kinds:
            faulty = state._replace(faults_left=state.faults_left - 1)
            attempts_used_up = self.rows.row(actor.view).attempts >= MAX_ATTEMPTS
            yield f"{index} shuts down", faulty.with_actor(index, phase="release:uncounted")
            yield (
                f"{index} meets a retryable error",
                faulty.with_actor(index, phase="finish:failed" if attempts_used_up else "release:count"),
            )
        if actor.phase in ("infer", "out"):
            yield self._store(state, index, actor)
        elif actor.phase == "replace_fence":
            yield from self._redraw(state, index, actor)
        elif actor.phase.startswith("release:"):
            yield from self._release(state, index, actor)
        elif actor.phase.startswith("finish:"):
            yield from self._finish(state, index, actor)

    def _start(self, state: State, index: int) -> Iterator[Step]:
        done, after, row, lost_responses = self._write(state, index, "start")
        yield from lost_responses
        if not done:
            yield f"{index} may not start", self._after_refusal(after, index, row)
            return
        assert row is not None
        if int(row.submission_id) != state.actors[index].submission_id:
            raise Violation("a worker started a submission with the message of another one")
        yield f"{index} starts", after.with_actor(index, phase="infer")

    def _after_refusal(self, state: State, index: int, row: Row | None) -> State:
        """Return the state after a refused write: finish a requested cancel, or give up the lost task."""
        actor = state.actors[index]
        mine = row is not None and row.fence == actor.fence and int(row.submission_id) == actor.submission_id
        if mine and row is not None and row.cancel_requested and not row.status.final:
            return state.with_actor(index, phase="finish:cancelled")
        return state.with_actor(index, phase="lost")

    def _store(self, state: State, index: int, actor: Actor) -> Step:
        kind, then = ("image", "out") if actor.phase == "infer" else ("out", "finish:completed")
        if any(o.fence == actor.fence and o.kind == kind for o in state.objects):
            return f"{index} finds the {kind}'s name taken", state.with_actor(index, phase="replace_fence")
        row = self.rows.rows[state.row]
        late = row is None or int(row.submission_id) != actor.submission_id or row.status.final
        stored = Stored(actor.fence, kind, actor.submission_id, index, late)
        after = state._replace(objects=state.objects | {stored})
        return f"{index} stores {stored.fence} {kind}", after.with_actor(index, phase=then)

    def _redraw(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        for fence, collides in _possible_fences(self.rows.row(actor.view)):
            if collides and (not (state.faults_left and "draw" in self.fault_kinds) or fence == actor.fence):
                continue
            before = state._replace(faults_left=state.faults_left - collides)
            done, after, row, lost_responses = self._write(before, index, "replace_fence", fence=fence)
            yield from lost_responses
            if done and row is not None:
                after = after.with_actor(index, phase="infer", fence=fence)
                self._check_exclusive(after, index, row)
                yield f"{index} draws {fence}", after
            elif collides:
                yield f"{index} draws a used fence", after.with_actor(index, view=actor.view)
            else:
                yield f"{index} may not redraw", after.with_actor(index, phase="lost")

    def _release(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        done, after, row, lost_responses = self._write(
            state, index, "release", count_attempt=actor.phase == "release:count"
        )
        yield from lost_responses
        yield (
            f"{index} releases",
            self._release_message(after, index) if done else self._after_refusal(after, index, row),
        )

    def _finish(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        status = Status(actor.phase.removeprefix("finish:"))
        done, after, row, lost_responses = self._write(state, index, "finish", status=status)
        for label, uncertain in lost_responses:
            yield label, uncertain.with_actor(index, finish_sent=True)
            yield (
                f"{label}, permanently",
                uncertain.with_actor(index, finish_sent=True, phase="release:count"),
            )
        after = after.with_actor(index, finish_sent=True)
        if not done:
            yield f"{index} may not finish", after.with_actor(index, phase="lost")
            return
        assert row is not None
        if int(row.submission_id) != actor.submission_id:
            raise Violation("the outcome of one submission was written to the row of another")
        own = {o.kind for o in after.objects if wrote(o, index, actor)}
        if status is Status.COMPLETED and own != {"image", "out"}:
            raise Violation("a completed row names objects that its worker did not write")
        yield f"{index} finishes: {status}", after.with_actor(index, phase="notify")


def _possible_fences(row: Row) -> list[tuple[str, bool]]:
    """Return the fences that a worker can draw: the next new one, or one that may collide with a used one."""
    fresh = next(fence for fence in FENCES if fence not in row.fences)
    # Only three candidates, to keep the number of states small.
    return [(fresh, False), *((fence, True) for fence in FENCES[:3] if fence != fresh)]
