"""The consumer, step by step: a delivery, the claim, the work, the outcome."""

from collections.abc import Iterator

from domain.delivery import decide, orphaned_objects
from domain.limits import MAX_ATTEMPTS
from domain.row import Row, Status
from tests.model.steps import ENDS, HOLDING, Step, Steps, replaced, wrote
from tests.model.world import FENCES, NOBODY, VISIBLE, Actor, State, Stored, Violation
from tests.support.clock import NOW


class Consumer(Steps):
    """Work through deliveries; its heartbeat is a thread of its own."""

    def _consumer(self, state: State, index: int, actor: Actor) -> Iterator[Step]:  # noqa: C901 - a table
        if actor.fence:
            yield from self._heartbeat(state, index, actor)
        match actor.phase:
            case "got":
                yield f"{index} reads", self._decided(state, index, state.row)
            case "adopt":
                _, after, _, lost = self._write(state, index, "submit", submission_id=actor.submission_id)
                accepted = after.accepted or (actor.submission_id,)
                yield from lost
                yield (
                    f"{index} adopts",
                    self._decided(after._replace(accepted=accepted), index, after.actors[index].view),
                )
            case "drop":
                gone = replaced(state, (actor.submission_id, index), None)
                yield f"{index} deletes", gone.with_actor(index, **Actor()._asdict())
            case "wait":
                yield f"{index} waits", self._let_go(state, index)
            case "abandon":
                yield from self._abandon(state, index, actor)
            case "notify" | "publish" | "note":
                yield from self._telling(state, index, actor, then="drop")
            case "claim":
                yield from self._claim(state, index, actor)
            case "lost":
                yield f"{index} cleans up", self._clean_up(state, index, actor)
            case "idle":
                pass
            case _:
                yield from self._work(state, index, actor)

    def _clean_up(self, state: State, index: int, actor: Actor) -> State:
        mine = {f"{o.fence}{ENDS[o.kind]}": o for o in state.objects if wrote(o, index, actor)}
        row = self.rows.rows[state.row]
        gone = {
            mine[name]
            for name in orphaned_objects(row, str(actor.submission_id), mine, finish_sent=actor.finish_sent)
        }
        objects = state.objects - gone
        if (
            row is not None and int(row.submission_id) != actor.submission_id
        ):  # deliberately left: see `orphaned_objects`
            objects = frozenset(
                o._replace(worker=NOBODY) if o.late and wrote(o, index, actor) else o for o in objects
            )
        return state._replace(objects=objects).with_actor(index, phase="got", fence="", finish_sent=False)

    def _decided(self, state: State, index: int, view: int) -> State:
        actor = state.actors[index]
        decision = decide(self.rows.rows[view], self.rows.messages[actor.submission_id], NOW)
        return state.with_actor(index, phase=decision.action.value, view=view, fence="")

    def _let_go(self, state: State, index: int) -> State:
        submission_id = state.actors[index].submission_id
        state = replaced(state, (submission_id, index), (submission_id, VISIBLE))
        return state.with_actor(index, **Actor()._asdict())

    def _abandon(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        decision = decide(self.rows.row(actor.view), self.rows.messages[actor.submission_id], NOW)
        done, after, _, lost = self._write(
            state, index, "abandon", code=decision.code, message=decision.message
        )
        yield from lost
        if done:
            yield f"{index} abandons", after.with_actor(index, phase="notify")
        else:
            yield f"{index} may not abandon", self._decided(after, index, after.actors[index].view)

    def _claim(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        for fence, unlucky in _draws(self.rows.row(actor.view)):
            if unlucky and not (state.left and "draw" in self.kinds):
                continue
            before = state._replace(left=state.left - unlucky)
            done, after, row, lost = self._write(before, index, "claim", worker=f"w{index}", fence=fence)
            if done and row is not None:
                after = after.with_actor(index, phase="prep", fence=fence)
                self._alone(after, index, row)
                yield from lost
                yield f"{index} claims with {fence}", after
            else:
                yield f"{index} may not claim", self._decided(after, index, after.actors[index].view)

    def _alone(self, state: State, index: int, row: Row) -> None:
        for other, actor in enumerate(state.actors[: self.setup.consumers]):
            held = other != index and actor.phase in HOLDING and actor.fence == row.fence
            if held and self.rows.row(actor.view).submission_id == row.submission_id:
                raise Violation("two workers hold the same fence")

    def _heartbeat(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        # A thread of its own: it may beat once more after the work is done.
        done, after, row, _ = self._write(state, index, "renew")
        if actor.phase not in HOLDING:
            yield f"{index} renews late", after.with_actor(index, view=actor.view)
        elif not done and not actor.phase.startswith("finish:"):  # that write will find out itself
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
            if state.left and "bad" in self.kinds:
                bad = state._replace(left=state.left - 1)
                yield f"{index} finds the task bad", bad.with_actor(index, phase="finish:failed")
        if actor.phase in ("prep", "infer") and state.left and "give" in self.kinds:
            given = state._replace(left=state.left - 1)
            spent = self.rows.row(actor.view).attempts >= MAX_ATTEMPTS
            yield f"{index} leaves", given.with_actor(index, phase="give:free")
            yield (
                f"{index} meets a fault",
                given.with_actor(index, phase="finish:failed" if spent else "give:spend"),
            )
        if actor.phase in ("infer", "out"):
            yield self._store(state, index, actor)
        elif actor.phase == "replace_fence":
            yield from self._redraw(state, index, actor)
        elif actor.phase.startswith("give:"):
            yield from self._give_back(state, index, actor)
        elif actor.phase.startswith("finish:"):
            yield from self._finish(state, index, actor)

    def _start(self, state: State, index: int) -> Iterator[Step]:
        done, after, row, lost = self._write(state, index, "start")
        yield from lost
        if not done:
            yield f"{index} may not start", self._refused(after, index, row)
            return
        assert row is not None
        if int(row.submission_id) != state.actors[index].submission_id:
            raise Violation("a worker runs one submission's message as another's")
        yield f"{index} starts", after.with_actor(index, phase="infer")

    def _refused(self, state: State, index: int, row: Row | None) -> State:
        """Finish a cancel that stands on one's own row; else the task is lost to another."""
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
        for fence, unlucky in _draws(self.rows.row(actor.view)):
            if unlucky and (not (state.left and "draw" in self.kinds) or fence == actor.fence):
                continue
            before = state._replace(left=state.left - unlucky)
            done, after, row, lost = self._write(before, index, "replace_fence", fence=fence)
            yield from lost
            if done and row is not None:
                after = after.with_actor(index, phase="infer", fence=fence)
                self._alone(after, index, row)
                yield f"{index} draws {fence}", after
            elif unlucky:
                yield f"{index} draws a used fence", after.with_actor(index, view=actor.view)
            else:
                yield f"{index} may not redraw", after.with_actor(index, phase="lost")

    def _give_back(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        done, after, row, lost = self._write(
            state, index, "release", count_attempt=actor.phase == "give:spend"
        )
        yield from lost
        yield f"{index} gives back", self._let_go(after, index) if done else self._refused(after, index, row)

    def _finish(self, state: State, index: int, actor: Actor) -> Iterator[Step]:
        status = Status(actor.phase.removeprefix("finish:"))
        done, after, row, lost = self._write(state, index, "finish", status=status)
        for label, unsure in lost:
            yield label, unsure.with_actor(index, finish_sent=True)
            yield f"{label} for good", unsure.with_actor(index, finish_sent=True, phase="give:spend")
        after = after.with_actor(index, finish_sent=True)
        if not done:
            yield f"{index} may not finish", after.with_actor(index, phase="lost")
            return
        assert row is not None
        if int(row.submission_id) != actor.submission_id:
            raise Violation("a submission's outcome was written to another")
        own = {o.kind for o in after.objects if wrote(o, index, actor)}
        if status is Status.COMPLETED and own != {"image", "out"}:
            raise Violation("a completed row names objects that its worker did not write")
        yield f"{index} finishes: {status}", after.with_actor(index, phase="notify")


def _draws(row: Row) -> list[tuple[str, bool]]:
    """Return the fences a worker may draw: the next new one, and by bad luck one that is used."""
    fresh = next(fence for fence in FENCES if fence not in row.fences)
    return [(fresh, False), *((fence, True) for fence in FENCES[:3] if fence != fresh)]
