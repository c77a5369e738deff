"""Whatever a row contains, it can be read, its callback can be sent, and it blocks no other task."""

from typing import Any

import pytest

from domain.row import Status
from functions.sweep.sweep import Report
from tests.support.api_client import Client
from tests.support.clock import FakeClock
from tests.support.deployment import DYNAMIC, STATIC, Deployment
from tests.support.worker import Worker, sweep

LONG = "x" * 200_000
"""Two of these are longer than a message of SNS may be."""


def set_attributes(deployment: Deployment, task_id: str, values: dict[str, Any]) -> None:
    """Change attributes of a row without the protocol, as an earlier version or an operator might."""
    deployment.dynamodb.update_item(
        TableName=deployment.environment.task_table,
        Key={"id": {"S": task_id}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


def finish_and_change_row(
    api: Client, deployment: Deployment, values: dict[str, Any], worker: Worker | None = None
) -> None:
    """Submit and finish a task without a callback, and change its row."""
    api.submit()
    (worker or Worker(deployment)).run("test", notify=False)
    set_attributes(deployment, "test", values)


TOO_LONG = {
    "error": {"M": {"code": {"S": "input_not_an_image"}, "message": {"S": LONG * 1}}},
    "context": {"S": f'"{LONG}"'},
}


def remove_attribute(deployment: Deployment, task_id: str, name: str) -> None:
    """Remove an attribute from a row without the protocol."""
    deployment.dynamodb.update_item(
        TableName=deployment.environment.task_table,
        Key={"id": {"S": task_id}},
        UpdateExpression="REMOVE #name",
        ExpressionAttributeNames={"#name": name},
    )


UNUSUAL_VALUES: list[dict[str, Any]] = [
    TOO_LONG,
    {"images": {"L": [{"S": "no link"}, {"N": "1"}, {"NULL": True}]}},
    {"images": {"L": [{"S": f"s3://b/{index}/{'k' * 1000}"} for index in range(300)]}},
    {"images": {"N": "1"}, "attempts": {"S": "many"}},
    {"output": {"S": "neither"}, "error": {"S": "a text"}},
    {"error": {"M": {"reason": {"S": "none of ours"}}}},
    {"context": {"S": "{no JSON"}},
    {"context": {"S": "[NaN]"}},
    {"context": {"N": "7.5"}},
    {"context": {"NULL": True}},
    {"context": {"S": "[" * 100_000}},
]


@pytest.mark.parametrize("values", UNUSUAL_VALUES)
def test_no_row_makes_the_api_fail(api: Client, deployment: Deployment, values: dict[str, Any]) -> None:
    finish_and_change_row(api, deployment, values)

    assert api("GET", "/v1alpha2/tasks/test").status == 200
    assert api("GET", "/v1alpha2/tasks").status == 200
    assert api("DELETE", "/v1alpha2/tasks/test").status == 409
    assert api.submit(context="second").status == 200
    assert [callback["id"] for callback in deployment.callbacks()] == ["test"]


def test_a_callback_that_is_too_long_for_sns_is_shortened(api: Client, deployment: Deployment) -> None:
    finish_and_change_row(api, deployment, {**TOO_LONG, "status": {"S": "failed"}})
    assert api.submit(context="second").status == 200

    [callback] = deployment.callbacks()
    assert (callback["status"], callback["result"], callback["context"]) == ("failed", False, None)
    assert callback["error"]["code"] == "input_not_an_image"
    assert len(callback["error"]["message"]) < 2000


def test_the_sweep_sends_a_callback_that_was_too_long_once(
    deployment: Deployment,
) -> None:
    clock = FakeClock()
    api = Client(deployment, clock)
    finish_and_change_row(api, deployment, TOO_LONG, Worker(deployment, clock))
    clock.forward(minutes=10)

    assert sweep(deployment, clock) == Report(notified=1)
    assert sweep(deployment, clock) == Report()


def test_a_row_that_cannot_be_read_does_not_stop_the_sweep(deployment: Deployment) -> None:
    clock = FakeClock()
    api = Client(deployment, clock)
    for task_id in ("broken", "fine"):
        api.submit(task_id)
        Worker(deployment, clock).run(task_id, notify=False)
        clock.forward(seconds=1)
    set_attributes(deployment, "broken", {"status": {"S": "of a version to come"}})
    clock.forward(minutes=10)

    assert sweep(deployment, clock) == Report(notified=1, failed=1)
    assert [callback["id"] for callback in deployment.callbacks()] == ["fine"]


def test_the_longest_error_of_a_task_is_sent_in_its_callback(api: Client, deployment: Deployment) -> None:
    scripts = {"s" * 257: {"image": "no image"}}
    assert api.submit(content={"alwayson_scripts": scripts}).status == 400
    assert deployment.table.get("test") is None
    assert api.submit(runtime=DYNAMIC).status == 200
    assert Worker(deployment).run("test", Status.FAILED).notified


@pytest.mark.parametrize("missing", ["status", "prefix"])
def test_a_row_of_an_unknown_form_is_a_409(api: Client, deployment: Deployment, missing: str) -> None:
    finish_and_change_row(api, deployment, {"notified_at": {"S": "2026-11-22T12:00:00.000Z"}})
    remove_attribute(deployment, "test", missing)

    assert api("GET", "/v1alpha2/tasks/test").status == 409
    assert api("DELETE", "/v1alpha2/tasks/test").status == 409


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_an_unknown_status_of_a_later_version_is_a_409(
    api: Client, deployment: Deployment, method: str
) -> None:
    finish_and_change_row(api, deployment, {"status": {"S": "of a version to come"}})

    answer = api.submit(runtime=STATIC) if method == "POST" else api(method, "/v1alpha2/tasks/test")

    assert (answer.status, answer.code) == (409, "conflict")
