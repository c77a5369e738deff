"""The scaling policy orders what the backlog needs, and stops only what a whole cooldown did not need."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scaling import Decision, ScalingPolicy, Surplus, decide

SCALING_POLICY = ScalingPolicy(queue_length=10, minimum=0, maximum=5, cooldown_seconds=300)


class RepeatedChecks:
    """Calls the policy repeatedly, as the scaler does, and remembers the desired count in between."""

    def __init__(self, desired: int, policy: ScalingPolicy = SCALING_POLICY) -> None:
        self.policy = policy
        self.desired = desired
        self.surplus: Surplus | None = None
        self.at = 1_000_000

    def check(self, backlog: int, *, after: int = 60) -> int:
        """Check some seconds after the last check; return the new desired count."""
        self.at += after
        decision = decide(
            self.policy, desired=self.desired, backlog=backlog, surplus=self.surplus, at=self.at
        )
        self.desired, self.surplus = decision.desired, decision.surplus
        return self.desired


@pytest.mark.parametrize(
    ("backlog", "gpus"), [(0, 0), (1, 1), (10, 1), (11, 2), (20, 2), (21, 3), (50, 5), (3_000, 5)]
)
def test_scaling_out_orders_what_the_backlog_needs_at_once(backlog: int, gpus: int) -> None:
    assert RepeatedChecks(0).check(backlog) == gpus


def test_gpus_that_start_are_not_ordered_twice() -> None:
    checks = RepeatedChecks(0)
    assert [checks.check(35, after=5) for _ in range(20)] == [4] * 20


@pytest.mark.parametrize(
    ("desired", "backlog", "gpus"), [(3, 15, 2), (5, 35, 4), (5, 5, 1), (2, 8, 1), (5, 0, 0)]
)
def test_scaling_in_never_falls_below_what_is_needed_however_long_workers_take_to_stop(
    desired: int, backlog: int, gpus: int
) -> None:
    """A policy that counts running workers, not desired ones, falls from 3 to 0 where 2 are needed."""
    checks = RepeatedChecks(desired)
    counts = [checks.check(backlog) for _ in range(40)]
    assert min(counts) == gpus
    assert counts[-1] == gpus


def test_nothing_is_stopped_before_the_cooldown_has_passed() -> None:
    checks = RepeatedChecks(4)
    assert [checks.check(0) for _ in range(5)] == [4] * 5
    assert checks.check(0) == 0


def test_one_check_that_needs_a_gpu_keeps_it_for_another_cooldown() -> None:
    checks = RepeatedChecks(4)
    for _ in range(4):
        checks.check(0)
    assert checks.check(25) == 4
    assert [checks.check(0) for _ in range(5)] == [3] * 5
    assert checks.check(0) == 0


def test_a_length_that_is_estimated_as_zero_for_a_moment_stops_nothing() -> None:
    checks = RepeatedChecks(3)
    assert {checks.check(0 if minute % 4 == 0 else 30) for minute in range(60)} == {3}


@pytest.mark.parametrize("failed_checks", [60, 61, 3600])
def test_a_length_of_zero_stops_nothing_after_checks_that_failed(failed_checks: int) -> None:
    checks = RepeatedChecks(3, ScalingPolicy(queue_length=10, minimum=0, maximum=5, cooldown_seconds=60))
    checks.check(15)
    assert checks.check(0, after=failed_checks) == 2
    assert checks.check(15) == 2


def test_a_count_that_someone_else_has_set_is_kept_for_a_cooldown() -> None:
    checks = RepeatedChecks(2)
    for _ in range(4):
        checks.check(0)
    checks.desired = 4
    assert [checks.check(0) for _ in range(5)] == [4] * 5
    assert checks.check(0) == 0


def test_the_minimum_always_runs() -> None:
    checks = RepeatedChecks(0, ScalingPolicy(queue_length=10, minimum=2, maximum=5, cooldown_seconds=60))
    assert [checks.check(0) for _ in range(5)] == [2] * 5


@given(
    desired=st.integers(0, 8),
    steps=st.lists(st.tuples(st.integers(0, 120), st.integers(1, 400)), min_size=1, max_size=60),
    minimum=st.integers(0, 2),
)
def test_every_count_was_needed_within_the_cooldown(
    desired: int, steps: list[tuple[int, int]], minimum: int
) -> None:
    policy = ScalingPolicy(queue_length=10, minimum=minimum, maximum=5, cooldown_seconds=300)
    checks = RepeatedChecks(desired, policy)
    needed: list[tuple[int, int]] = [(checks.at + steps[0][1], desired)]
    for backlog, after in steps:
        before = checks.desired
        count = checks.check(backlog, after=after)
        needed[-1:] = [needed[-1], (checks.at, needed[-1][1]), (checks.at, policy.gpus_for(backlog))]
        recent = [gpus for at, gpus in needed if at > checks.at - policy.cooldown_seconds]
        assert count >= policy.gpus_for(backlog)
        if count > before:
            assert count == policy.gpus_for(backlog)
        else:
            assert count in (before, max(recent))


def _policy(maximum: int) -> ScalingPolicy:
    return ScalingPolicy(queue_length=10, minimum=0, maximum=maximum, cooldown_seconds=300)


@pytest.mark.parametrize("maximum", [1, 5, 6, 20, 1000])
@pytest.mark.parametrize("backlog", [1, 11, 25, 60, 10_000])
def test_ecs_can_advance_an_update_at_every_number_of_gpus(maximum: int, backlog: int) -> None:
    """ECS rounds the minimum during an update up, and the maximum down; one must leave room for a step."""
    policy = _policy(maximum)
    desired = policy.gpus_for(backlog, updating=True)
    least_percent, most_percent = policy.update_limits
    assert ceil(desired * least_percent / 100) < desired or desired * most_percent // 100 > desired


def test_an_update_of_twenty_gpus_needs_no_other_gpu_and_starts_at_most_ten() -> None:
    least_percent, most_percent = _policy(20).update_limits
    assert ceil(20 * least_percent / 100) == 15
    assert 20 * most_percent // 100 == 30


def test_a_large_service_has_two_gpus_only_while_it_is_updated() -> None:
    policy, surplus = _policy(6), None
    decision = decide(policy, desired=1, backlog=5, surplus=None, at=0, updating=True)
    assert decision == Decision(desired=2, surplus=None)
    counts = []
    for at in range(60, 480, 60):
        decision = decide(policy, desired=decision.desired, backlog=5, surplus=surplus, at=at)
        surplus = decision.surplus
        counts.append(decision.desired)
    assert counts == [2] * 5 + [1] * 2
    assert decide(_policy(5), desired=1, backlog=5, surplus=None, at=0, updating=True).desired == 1
    assert decide(policy, desired=0, backlog=0, surplus=None, at=0, updating=True).desired == 0


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_limits_always_hold_when_scaling_out(backlog: int, desired: int) -> None:
    decision = decide(SCALING_POLICY, desired=desired, backlog=backlog, surplus=None, at=0)
    assert isinstance(decision, Decision)
    assert decision.desired <= max(SCALING_POLICY.maximum, desired)
