"""The protocol's promises hold in every order of events, and without any one of its conditions they do not.

One outcome, never two; a callback for each; only the winner's objects remain; nothing is lost; nothing starts
once its cancel was accepted; a worker that lost its task, or an earlier submission, changes nothing.
"""

from itertools import chain

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.model.checker import Checker, Finding
from tests.model.conditions import LeftOut, every_condition
from tests.model.setups import FOR_TRANSITION, WHOLE
from tests.model.steps import KINDS, Setup
from tests.model.world import State, Violation

QUICK_STATES, DEEP_STATES = 1_500, 15_000
"""Most conditions are missed within the first; the second is for the few that need a long story."""


def _name(setup: Setup) -> str:
    return setup.name


FOR_SOME_TRANSITION: list[Setup] = sorted(set(chain.from_iterable(FOR_TRANSITION.values())), key=_name)


@pytest.mark.parametrize("setup", WHOLE, ids=_name)
def test_every_order_of_events_keeps_the_promises(setup: Setup) -> None:
    """Visit every state, and from each let things come to rest without another fault."""
    assert Checker(setup).search() > 100


@pytest.mark.parametrize(
    "setup",
    FOR_SOME_TRANSITION,
    ids=_name,
)
def test_what_shows_a_missing_condition_is_no_fault_of_the_protocol_itself(setup: Setup) -> None:
    """Find nothing where all conditions are in their place: the findings below are the condition's."""
    Checker(setup).search(QUICK_STATES)


@pytest.mark.parametrize("left_out", every_condition(), ids=str)
def test_no_condition_can_be_left_out(left_out: LeftOut) -> None:
    """Break a promise by leaving out one condition of one transition."""
    with pytest.raises(Finding):
        _search(left_out)


def _search(left_out: LeftOut) -> None:
    for most in (QUICK_STATES, DEEP_STATES):
        for setup in FOR_TRANSITION[left_out.transition]:
            Checker(setup, left_out).search(most)


class LongRuns(RuleBasedStateMachine):
    """Go where the search does not: three submissions, two cancels, two dozen faults of every kind."""

    checker: Checker
    state: State

    @initialize(digests=st.sampled_from(["a", "ab", "aba", "abb"]), attempts=st.sampled_from([0, 3]))
    def begin(self, digests: str, attempts: int) -> None:
        """Begin with nothing."""
        setup = Setup("long", 24, KINDS, digests=digests, cancels=2, attempts=attempts)
        self.checker = Checker(setup)
        self.state = self.checker.actors.first()

    @rule(choice=st.integers(0, 10_000))
    def step(self, choice: int) -> None:
        """Take one of the steps that anyone may take."""
        steps = list(self.checker.actors.steps(self.state))
        if steps:
            self.state = steps[choice % len(steps)][1]

    def teardown(self) -> None:
        """Let things come to rest, and check what is promised in the end."""
        if hasattr(self, "checker"):
            self.checker.settle(self.state)


def test_long_runs_with_many_faults_keep_the_promises() -> None:
    """Walk at random, the same walks each time."""
    run_state_machine_as_test(
        LongRuns,
        settings=settings(
            max_examples=60, stateful_step_count=80, derandomize=True, deadline=None, database=None
        ),
    )


def test_the_checker_tells_the_story_of_what_it_finds() -> None:
    """Name the promise and the events that broke it, in order."""
    left_out = next(one for one in every_condition() if str(one) == "submit-absent-id")
    with pytest.raises(Finding, match=r"(?s)an active submission was replaced.*submit 1 reads") as found:
        Checker(FOR_TRANSITION["submit"][0], left_out).search()
    assert isinstance(found.value.__cause__, Violation)
