"""The protocol's invariants hold in every order of events, and without any one of its conditions they do not.

Each accepted task has one outcome and a callback. Only the objects of the worker that wrote the outcome
remain. No task starts after its cancel was accepted. A worker whose lease has expired, or that works on an
earlier submission of the id, changes nothing.
"""

from itertools import chain

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.model.checker import Checker, Finding
from tests.model.conditions import LeftOut, every_condition
from tests.model.phases import FaultKind
from tests.model.setups import COMPLETE_SEARCHES, FOR_TRANSITION
from tests.model.steps import Setup
from tests.model.world import State, Violation

QUICK_STATES, DEEP_STATES = 1_500, 15_000
"""How many states to search: most missing conditions show within the first number, a few need the second."""


def _name(setup: Setup) -> str:
    return setup.name


FOR_SOME_TRANSITION: list[Setup] = sorted(set(chain.from_iterable(FOR_TRANSITION.values())), key=_name)


@pytest.mark.parametrize("setup", COMPLETE_SEARCHES, ids=_name)
def test_the_invariants_hold_in_every_order_of_events(setup: Setup) -> None:
    assert Checker(setup).search() > 100


@pytest.mark.parametrize(
    "setup",
    FOR_SOME_TRANSITION,
    ids=_name,
)
def test_the_setups_for_missing_conditions_find_nothing_in_the_complete_protocol(setup: Setup) -> None:
    Checker(setup).search(QUICK_STATES)


@pytest.mark.parametrize("left_out", every_condition(), ids=str)
def test_without_any_one_condition_an_invariant_is_violated(left_out: LeftOut) -> None:
    with pytest.raises(Finding):
        _search(left_out)


def _search(left_out: LeftOut) -> None:
    for max_states in (QUICK_STATES, DEEP_STATES):
        for setup in FOR_TRANSITION[left_out.transition]:
            Checker(setup, left_out).search(max_states)


class LongRuns(RuleBasedStateMachine):
    """Random runs beyond the search: three submissions, two cancels, and two dozen faults of all kinds."""

    checker: Checker
    state: State

    @initialize(digests=st.sampled_from(["a", "ab", "aba", "abb"]), attempts=st.sampled_from([0, 3]))
    def begin(self, digests: str, attempts: int) -> None:
        """Choose the setup and begin with its first state."""
        setup = Setup("long", 24, frozenset(FaultKind), digests=digests, cancels=2, attempts=attempts)
        self.checker = Checker(setup)
        self.state = self.checker.actors.first_state()

    @rule(choice=st.integers(0, 10_000))
    def step(self, choice: int) -> None:
        """Take one of the possible steps."""
        steps = list(self.checker.actors.steps(self.state))
        if steps:
            self.state = steps[choice % len(steps)][1]

    def teardown(self) -> None:
        """Continue without faults until nothing happens, then check the invariants of the end."""
        if hasattr(self, "checker"):
            self.checker.check_end_from(self.state)


def test_the_invariants_hold_in_long_runs_with_many_faults() -> None:
    run_state_machine_as_test(
        LongRuns,
        settings=settings(
            max_examples=60, stateful_step_count=80, derandomize=True, deadline=None, database=None
        ),
    )


def test_a_finding_lists_the_events_that_lead_to_it() -> None:
    left_out = next(condition for condition in every_condition() if str(condition) == "submit-absent-id")
    with pytest.raises(Finding, match=r"(?s)an active submission was replaced.*submit 1 reads") as finding:
        Checker(FOR_TRANSITION["submit"][0], left_out).search()
    assert isinstance(finding.value.__cause__, Violation)
