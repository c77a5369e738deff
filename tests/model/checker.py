"""A breadth-first search through all orders of events.

Each state is also followed to its end without further faults: there every task must have its outcome.
"""

from collections import deque
from collections.abc import Callable

from domain.row import Status
from domain.transition import Transition
from tests.model.actors import WITHOUT_STEPS, Actors
from tests.model.phases import Phase
from tests.model.steps import Setup
from tests.model.world import NOBODY, Rows, State, Violation

MAX_STEPS_TO_END = 250
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
        self._checked_to_end: set[State] = set()

    def search(self, max_states: int = 10_000_000) -> int:
        """Visit all states, or the first `max_states`; return how many, or raise Finding for a violation."""
        try:
            first = self.actors.first_state()
        except Violation as violation:
            raise Finding(f"{violation}\nwithin {self.actors.setup.prelude}") from violation
        predecessors: dict[State, tuple[State, str] | None] = {first: None}
        waiting = deque([first])
        while waiting and len(predecessors) < max_states:
            state = waiting.popleft()
            try:
                self.check_end_from(state)
                for label, after in self.actors.steps(state):
                    if after not in predecessors:
                        predecessors[after] = (state, label)
                        waiting.append(after)
            except Violation as violation:
                raise Finding(f"{violation}\n" + "\n".join(_trace(predecessors, state))) from violation
        return len(predecessors)

    def check_end_from(self, state: State) -> None:
        """Continue without faults until nothing happens; raise Violation if a final invariant is violated."""
        visited = []
        state = state._replace(faults_left=0)
        for _ in range(MAX_STEPS_TO_END):
            if state in self._checked_to_end:
                break
            visited.append(state)
            after = self._next_state(state)
            if after is None:
                self._check_end(state)
                break
            state = after
        else:
            raise Violation("the events never end")
        self._checked_to_end.update(visited)

    def _next_state(self, state: State) -> State | None:
        for index, actor in enumerate(state.actors):
            if actor.phase not in WITHOUT_STEPS:
                steps = self.actors.step_functions[index](state, index, actor)
                # Heartbeats are left out, because they would never end.
                if (
                    after := next((after for label, after in steps if "renew" not in label), None)
                ) is not None:
                    return after
        row = self.rows.expire(state.row)
        if row != state.row and not self.rows.row(row).status.final:
            return state._replace(row=row)
        for _, after in self.actors.delivery_steps(state):
            return after
        current_row = self.rows.rows[state.row]
        if current_row is not None and not current_row.notified:
            return state.with_actor(self.actors.sweep, phase=Phase.READ_ROW)
        return None

    def _check_end(self, state: State) -> None:
        outcomes: dict[int, str] = {}
        for submission_id, status in state.outcomes:
            if outcomes.setdefault(submission_id, status) != status:
                raise Violation(f"submission {submission_id} had two outcomes")
        for submission_id in state.accepted:
            if submission_id not in outcomes:
                raise Violation(f"submission {submission_id} was accepted but has no outcome")
            outcome = outcomes[submission_id]
            statuses_sent = {
                status for notified_id, status in state.callbacks if notified_id == submission_id
            }
            if statuses_sent != {outcome}:
                raise Violation(
                    f"submission {submission_id} is {outcome}, but its callbacks say {sorted(statuses_sent)}"
                )
            if (submission_id, 200) in state.cancelled and outcome != Status.CANCELLED:
                raise Violation(
                    f"the cancel of submission {submission_id} was confirmed, but it is {outcome}"
                )
            remaining = sorted(
                stored_object.kind
                for stored_object in state.objects
                if stored_object.submission_id == submission_id and stored_object.worker != NOBODY
            )
            has_outputs = outcome == Status.COMPLETED and submission_id not in state.deleted
            if remaining != (["image", "output"] if has_outputs else []):
                raise Violation(
                    f"submission {submission_id} is {outcome}, but has these objects: {remaining}"
                )


def _trace(predecessors: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    labels: list[str] = []
    while (link := predecessors[state]) is not None:
        state, label = link
        labels.append(label)
    return labels[::-1]
