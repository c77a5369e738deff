"""Scaling of GPUs: the expressions of the alarms and the steps of the policies are evaluated."""

from math import ceil
from typing import Any

import pytest

from infra.compute.scaling import MAX_STEPS, capacities
from tests.support.template import Template, text

pytestmark = pytest.mark.xdist_group("infra")


def _alarm(compute: Template, name: str) -> dict[str, Any]:
    return compute.one("CloudWatch::Alarm", f"sdruntimeScaling{name}Alarm")


def _value(alarm: dict[str, Any], **metrics: float) -> float:
    """Evaluate an alarm's expression as CloudWatch does."""
    (expression,) = (each["Expression"] for each in alarm["Metrics"] if "Expression" in each)
    words = {"IF": lambda condition, yes, no: yes if condition else no, "CEIL": ceil, **metrics}
    return float(eval(expression.replace("IF(", "IF("), {"__builtins__": {}}, words))  # noqa: S307 - our own template


def _capacity(compute: Template, value: float, current: int) -> int:
    """Return the capacity to which the scale-out policy leads for an alarm's value."""
    policy = compute.one("ApplicationAutoScaling::ScalingPolicy", "sdruntimeScalingOut")
    configuration = policy["StepScalingPolicyConfiguration"]
    assert configuration["AdjustmentType"] == "ExactCapacity"
    if value < 1:
        return current
    for step in configuration["StepAdjustments"]:
        lower, upper = step["MetricIntervalLowerBound"], step.get("MetricIntervalUpperBound", float("inf"))
        if lower <= value - 1 < upper:
            return int(step["ScalingAdjustment"])
    raise AssertionError(f"no step for {value}")


@pytest.mark.parametrize(
    ("visible", "inflight", "running", "gpus"),
    [
        (0, 0, 0, 0),
        (1, 0, 0, 1),
        (9, 1, 0, 1),  # one GPU carries queueLength, 10
        (10, 1, 1, 2),
        (20, 0, 1, 2),
        (21, 0, 1, 3),
        (500, 5, 1, 5),  # no more than maxReplicaCount
        (5, 2, 5, 5),  # out never shrinks what runs
    ],
)
def test_scale_out_sets_the_number_of_gpus_that_the_backlog_needs(
    compute: Template, visible: int, inflight: int, running: int, gpus: int
) -> None:
    value = _value(_alarm(compute, "Out"), visible=visible, inflight=inflight, running=running)
    assert _capacity(compute, value, current=running) == gpus


def test_scale_out_does_not_count_starting_instances_twice(compute: Template) -> None:
    value = _value(_alarm(compute, "Out"), visible=39, inflight=1, running=1)
    assert _capacity(compute, value, current=4) == 4


def test_scale_in_removes_one_gpu_after_a_whole_cooldown_with_less_work(compute: Template) -> None:
    alarm = _alarm(compute, "In")
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (5, 5)
    assert _value(alarm, visible=10, inflight=0, running=2) >= alarm["Threshold"]
    assert _value(alarm, visible=10, inflight=1, running=2) < alarm["Threshold"]
    policy = compute.one("ApplicationAutoScaling::ScalingPolicy", "sdruntimeScalingIn")
    configuration = policy["StepScalingPolicyConfiguration"]
    assert configuration["AdjustmentType"] == "ChangeInCapacity"
    assert [step["ScalingAdjustment"] for step in configuration["StepAdjustments"]] == [-1]


def test_an_idle_service_is_set_to_the_minimum_after_the_whole_cooldown(compute: Template) -> None:
    alarm = _alarm(compute, "Idle")
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (5, 5)
    assert _value(alarm, visible=0, inflight=0, running=3) >= alarm["Threshold"]
    assert _value(alarm, visible=1, inflight=0, running=3) < alarm["Threshold"]
    assert _value(alarm, visible=0, inflight=1, running=3) < alarm["Threshold"]
    assert _value(alarm, visible=0, inflight=0, running=0) < alarm["Threshold"]
    policy = compute.one("ApplicationAutoScaling::ScalingPolicy", "sdruntimeScalingIdle")
    steps = policy["StepScalingPolicyConfiguration"]["StepAdjustments"]
    assert [step["ScalingAdjustment"] for step in steps] == [0]


def test_missing_data_changes_nothing(compute: Template) -> None:
    """An inactive queue sends no metrics for up to 15 minutes."""
    alarms = [
        alarm
        for alarm in compute.properties("CloudWatch::Alarm")
        if str(alarm.get("AlarmDescription")).startswith("Scales the service")
    ]
    assert len(alarms) == 6
    for alarm in alarms:
        assert alarm["TreatMissingData"] == "notBreaching"
        assert "FILL" not in text(alarm["Metrics"])


def test_the_settings_limit_the_number_of_tasks(compute: Template) -> None:
    target = compute.one("ApplicationAutoScaling::ScalableTarget", "sdruntime")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 5)


@pytest.mark.parametrize("maximum", [1, 2, 5, 20, 21, 37, 100, 1000])
def test_steps_rise_to_the_maximum_within_the_limit(maximum: int) -> None:
    """A policy can have 20 steps."""
    sizes = capacities(maximum)
    assert sizes[0] == 1
    assert sizes[-1] == maximum
    assert len(sizes) == min(maximum, MAX_STEPS)
    assert sizes == sorted(set(sizes))
