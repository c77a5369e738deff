"""A breadth-first search through all orders of events; each state is also followed until nothing happens."""

from collections import deque
from collections.abc import Callable

from domain.row import Status
from domain.transition import Transition
from tests.model.actors import Actors
from tests.model.steps import Setup
from tests.model.world import NOBODY, Rows, State, Violation

SETTLES_WITHIN = 250
"""Maximum number of steps without a fault; the longest correct sequence has less than half as many."""


class Finding(Exception):
    """A violated invariant, with the events that lead to it."""


def unchanged(transition: Transition) -> Transition:
    """Return the transition without a change."""
    return transition


class Checker:
    """Checks one setup, with the protocol's transitions or with those that `mutate` returns."""

    def __init__(self, setup: Setup, mutate: Callable[[Transition], Transition] = unchanged) -> None:
        self.rows = Rows(attempts=setup.attempts, digests=setup.digests, mutate=mutate)
        self.actors = Actors(setup, self.rows)
        self._settled: set[State] = set()

    def search(self, most: int = 10_000_000) -> int:
        """Visit all states and return their number; raise Finding for the first violated invariant."""
        try:
            first = self.actors.first()
        except Violation as violation:
            raise Finding(f"{violation}\nwithin {self.actors.setup.prelude}") from violation
        came: dict[State, tuple[State, str] | None] = {first: None}
        waiting = deque([first])
        while waiting and len(came) < most:
            state = waiting.popleft()
            try:
                self.settle(state)
                for label, after in self.actors.steps(state):
                    if after not in came:
                        came[after] = (state, label)
                        waiting.append(after)
            except Violation as violation:
                raise Finding(f"{violation}\n" + "\n".join(_trace(came, state))) from violation
        return len(came)

    def settle(self, state: State) -> None:
        """Follow a state without further faults until nothing happens, then check the final invariants."""
        passed = []
        state = state._replace(faults_left=0)
        for _ in range(SETTLES_WITHIN):
            if state in self._settled:
                break
            passed.append(state)
            after = self._next(state)
            if after is None:
                self._check_end(state)
                break
            state = after
        else:
            raise Violation("the events never end")
        self._settled.update(passed)

    def _next(self, state: State) -> State | None:
        for index, actor in enumerate(state.actors):
            if actor.phase not in ("idle", "end", "dead"):
                # Without heartbeats, which would never end.
                steps = [
                    s for label, s in self.actors.roles[index](state, index, actor) if "renew" not in label
                ]
                if steps:
                    return steps[0]
        row = self.rows.expire(state.row)
        if row != state.row and not self.rows.row(row).status.final:
            return state._replace(row=row)
        for _, after in self.actors._deliveries(state):
            return after
        current = self.rows.rows[state.row]
        if current is not None and not current.notified:
            return state.with_actor(self.actors.sweep, phase="read")
        return None

    def _check_end(self, state: State) -> None:
        outcomes: dict[int, str] = {}
        for submission_id, status in state.outcomes:
            if outcomes.setdefault(submission_id, status) != status:
                raise Violation("a submission had two outcomes")
        for submission_id in state.accepted:
            if submission_id not in outcomes:
                raise Violation("an accepted task has no outcome")
            sent = {status for number, status in state.callbacks if number == submission_id}
            if sent != {outcomes[submission_id]}:
                raise Violation(f"outcome {outcomes[submission_id]}, callbacks {sorted(sent)}")
            if (submission_id, 200) in state.cancelled and outcomes[submission_id] != Status.CANCELLED:
                raise Violation("a confirmed cancel ended otherwise")
            kinds = {o.kind for o in state.objects if o.submission_id == submission_id and o.worker != NOBODY}
            count = sum(o.submission_id == submission_id and o.worker != NOBODY for o in state.objects)
            complete = outcomes[submission_id] == Status.COMPLETED and submission_id not in state.deleted
            wanted = {"image", "out"} if complete else set()
            if kinds != wanted or count != len(wanted):
                raise Violation(
                    f"outcome {outcomes[submission_id]}, but these objects remain: {sorted(kinds)} ({count})"
                )


def _trace(came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    labels: list[str] = []
    while (link := came[state]) is not None:
        state, label = link
        labels.append(label)
    return labels[::-1]
