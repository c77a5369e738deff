"""The comparison of `python -m bench.scaling`, with fewer runs."""

from functools import cache

import pytest

from bench.scaling.__main__ import find_regressions
from bench.scaling.comparison import KEDA, STEP_SCALING, THIS_PROJECT, Result, simulate
from bench.scaling.latencies import BOOT_SECONDS, JOB_SECONDS
from bench.scaling.scenarios import SCENARIOS, Scenario

FEWER_CALLERS = SCENARIOS[-1]


@cache
def result(scenario: Scenario, policy: str, cooldown: int) -> Result:
    return simulate(scenario, policy, cooldown, runs=1 if scenario.name == "a working day" else 4)


@pytest.mark.parametrize("cooldown", [60, 300])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_scenario_is_worse_than_with_keda_at_the_same_cooldown(scenario: Scenario, cooldown: int) -> None:
    assert find_regressions(result(scenario, THIS_PROJECT, cooldown), result(scenario, KEDA, cooldown)) == []


def test_step_scaling_stops_all_gpus_where_two_are_needed() -> None:
    step_scaling = result(FEWER_CALLERS, STEP_SCALING, 300)
    assert step_scaling.lowest_desired == 0
    assert step_scaling.needed_gpus_stopped > 0
    assert find_regressions(step_scaling, result(FEWER_CALLERS, KEDA, 300))


def test_a_first_task_waits_for_the_boot_of_a_gpu_and_hardly_longer() -> None:
    quiet = result(SCENARIOS[0], THIS_PROJECT, 300)
    assert BOOT_SECONDS < quiet.longest - JOB_SECONDS < BOOT_SECONDS + 2


def test_a_policy_that_is_worse_is_named() -> None:
    keda = result(FEWER_CALLERS, KEDA, 60)
    slow = Result(
        p50=1,
        p95=keda.p95 + 2,
        longest=9,
        gpu_hours=99,
        idle_hours=0,
        dollars_for_1000=1,
        needed_gpus_stopped=1,
        lowest_desired=0,
    )
    assert [regression.split(" ")[0] for regression in find_regressions(slow, keda)] == [
        "p95",
        f"{99 / keda.gpu_hours - 1:+.0%}",
        "GPUs",
    ]
