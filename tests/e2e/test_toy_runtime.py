"""A further runtime type, here a toy that repeats a text, needs three registrations and no other change."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from domain.routing import Runtimes
from domain.row import Row, Status
from domain.worker_environment import WorkerEnvironment
from local.deploy import ROOT
from local.emulator import Emulator
from local.process import Process
from tests.support.api_client import Client
from tests.support.deployment import DYNAMIC, Deployment, deploy
from tests.support.toy.deployment import Toy
from tests.support.toy.registrations import RULES

OUTCOME_SECONDS = 60.0
TOY_SETTINGS = Toy(name=DYNAMIC, speed=2, most=700)


@pytest.fixture
def toy_deployment(aws: Emulator) -> Deployment:
    """Create AWS resources with one runtime of the toy's type."""
    deployment = deploy(aws)
    # The core stack passes the toy's settings to the API in this form.
    described = [TOY_SETTINGS.as_domain(queue_url=deployment.queue(DYNAMIC)).as_dict()]
    runtimes = Runtimes.from_json(json.dumps(described))
    return replace(deployment, environment=replace(deployment.environment, runtimes=runtimes))


@pytest.fixture
def api(toy_deployment: Deployment) -> Client:
    return Client(toy_deployment, types=RULES)


@contextmanager
def running_consumer(aws: Emulator, toy_deployment: Deployment) -> Iterator[Process]:
    deployed = toy_deployment.environment
    environment = WorkerEnvironment(
        runtime_name=DYNAMIC,
        runtime_type=TOY_SETTINGS.type,
        runtime_options=TOY_SETTINGS.as_domain().options,
        task_queue_url=toy_deployment.queue(DYNAMIC),
        result_topic_arn=deployed.result_topic_arn,
        output_bucket=deployed.output_bucket,
        task_table=deployed.task_table,
        task_bucket=deployed.task_bucket,
        visibility_seconds=6,
        retry_delay_seconds=0,
    )
    with Process(
        "toy consumer",
        [sys.executable, "-m", "tests.support.toy"],
        environment=aws.environment(os.environ) | environment.to_environ(),
        cwd=str(ROOT),
    ) as process:
        yield process


def toy_request(task_id: str, **content: Any) -> dict[str, Any]:
    metadata = {"id": task_id, "runtime": DYNAMIC, "tasktype": "repeat", "prefix": "output"}
    return {"task": {"metadata": metadata, "content": {"text": "ab", "times": 2} | content}}


def wait_for_row(toy_deployment: Deployment, task_id: str, condition: Any) -> Row:
    """Poll until the row has a state, for which DynamoDB has no event."""
    deadline = time.monotonic() + OUTCOME_SECONDS
    while not condition(row := toy_deployment.row(task_id)):
        assert time.monotonic() < deadline, row
        time.sleep(0.1)
    return row


def test_a_toy_task_is_checked_by_the_rules_of_its_type(
    aws: Emulator, toy_deployment: Deployment, api: Client
) -> None:
    refusal = api("POST", "/v1alpha2", toy_request("bad", text=7, times="many"))
    assert (refusal.status, refusal.faults) == (400, ["/task/content/text", "/task/content/times"])
    assert api("POST", "/v1alpha2", toy_request("bad", times=701)).faults == ["/task/content/times"]
    assert api("POST", "/v1alpha2", toy_request("t")).status == 200
    with running_consumer(aws, toy_deployment):
        row = wait_for_row(toy_deployment, "t", lambda row: row.notified)
    assert row.status is Status.COMPLETED
    (link,) = row.item["images"]
    key = link.removeprefix(f"s3://{toy_deployment.environment.output_bucket}/")
    assert (
        toy_deployment.s3.get_object(Bucket=toy_deployment.environment.output_bucket, Key=key)["Body"].read()
        == b"abab"
    )
    output_key = str(row.text("output")).removeprefix(f"s3://{toy_deployment.environment.output_bucket}/")
    document = json.load(
        toy_deployment.s3.get_object(Bucket=toy_deployment.environment.output_bucket, Key=output_key)["Body"]
    )
    assert (document["repeated"], document["speed"]) == (True, 2)
    assert document["images"][0]["letters"] == 4


@pytest.mark.long
def test_a_toy_task_reports_progress_and_can_be_cancelled(
    aws: Emulator, toy_deployment: Deployment, api: Client
) -> None:
    api("POST", "/v1alpha2", toy_request("t", times=600))
    with running_consumer(aws, toy_deployment):
        wait_for_row(toy_deployment, "t", lambda row: float(row.item["progress"]) > 0)
        assert api("DELETE", "/v1alpha2/tasks/t").status == 202
        row = wait_for_row(toy_deployment, "t", lambda row: row.notified)
    assert row.status is Status.CANCELLED
    assert not toy_deployment.s3.list_objects_v2(Bucket=toy_deployment.environment.output_bucket).get(
        "Contents"
    )


@pytest.mark.long
def test_a_toy_task_is_completed_by_another_consumer_if_the_first_one_dies(
    aws: Emulator, toy_deployment: Deployment, api: Client
) -> None:
    api("POST", "/v1alpha2", toy_request("t", times=50))
    with running_consumer(aws, toy_deployment) as first:
        wait_for_row(toy_deployment, "t", lambda row: row.status is Status.RUNNING)
        first.kill()
    with running_consumer(aws, toy_deployment):
        row = wait_for_row(toy_deployment, "t", lambda row: row.notified)
    assert (row.status, row.attempts) == (Status.COMPLETED, 2)
    assert [callback["status"] for callback in toy_deployment.callbacks()] == ["completed"]


def test_the_openapi_document_describes_the_toys_content(api: Client) -> None:
    document = api("GET", "/openapi.json").body
    assert "repeat" in document["components"]["schemas"]["TaskType"]["enum"]
