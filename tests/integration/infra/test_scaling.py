"""The scaler is synthesized with the numbers of the policy, and nothing else changes the number of GPUs."""

import json

import pytest

from domain import scaling
from tests.support.template import Template, text

pytestmark = pytest.mark.xdist_group("infra")


def test_the_scaler_gets_the_settings_as_its_policy(compute: Template) -> None:
    environment = compute.one("Lambda::Function", "Scaler")["Environment"]["Variables"]
    expected = {"queue_length": 10, "minimum": 0, "maximum": 5, "cooldown_seconds": 300}
    policy = text(environment["SERVICES"]).replace("\\", "")
    assert json.dumps(expected, separators=(",", ":")) in policy.replace(" ", "")


def test_submitted_tasks_and_a_schedule_invoke_the_scaler(compute: Template) -> None:
    (queue,) = compute.resources("SQS::Queue")
    subscription = compute.one("SNS::Subscription")
    assert queue in text(subscription["Endpoint"])
    assert subscription["RawMessageDelivery"] is True
    assert "FilterPolicy" not in subscription
    mapping = compute.one("Lambda::EventSourceMapping")
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": scaling.EVENT_CONCURRENCY}
    assert mapping["MaximumBatchingWindowInSeconds"] == scaling.EVENT_WINDOW_SECONDS
    assert compute.one("Events::Rule")["ScheduleExpression"] == "rate(1 minute)"


def test_nothing_else_changes_the_number_of_gpus(compute: Template) -> None:
    assert compute.resources("ApplicationAutoScaling::ScalableTarget") == {}


def test_no_function_reserves_concurrency(compute: Template, core: Template) -> None:
    for template in (compute, core):
        for function in template.properties("Lambda::Function"):
            assert "ReservedConcurrentExecutions" not in function
