"""The dead-letter function archives every body and gives every task an outcome."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.archive import Archive
from domain.row import Status
from tests.support.api_client import Client, task
from tests.support.clock import FakeClock
from tests.support.dead_letters import archived, dead_letter
from tests.support.deployment import DYNAMIC, Deployment
from tests.support.failing_aws import FakeS3, FakeSns
from tests.support.worker import Worker


def submitted(api: Client, deployment: Deployment, task_id: str = "test", **changes: Any) -> str:
    """Submit a task and receive its message."""
    assert api("POST", "/v1alpha2", task(task_id, **changes)).status == 200
    [message] = deployment.messages()
    return json.dumps(message)


def test_a_dead_lettered_task_fails_and_its_callback_is_sent(api: Client, deployment: Deployment) -> None:
    body = submitted(api, deployment, context="c")
    assert dead_letter(deployment, body) == []
    row = deployment.row("test")
    assert row.status is Status.FAILED
    [callback] = deployment.callbacks()
    assert (callback["status"], callback["context"]) == ("failed", "c")
    assert callback["error"]["code"] == "task_abandoned"
    day = datetime.now(UTC).date().isoformat()
    assert archived(deployment) == {f"dead-letters/{day}/{DYNAMIC}/message-0.json": body}
    assert dead_letter(deployment, body) == []
    assert deployment.callbacks() == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "{}",
        "[]",
        '{"metadata": {}}',
        '{"metadata": null, "content": {}}',
        "null",
        '{"metadata": {"id": "../x", "runtime": "r", "tasktype": "text-to-image", "prefix": "p"}}',
        "\x00\x01 é ☃",
        "[" * 10_000,
    ],
)
def test_a_message_that_is_no_task_is_archived_byte_for_byte(
    shared_deployment: Deployment, log: io.StringIO, body: str
) -> None:
    before = archived(shared_deployment)
    assert dead_letter(shared_deployment, body) == []
    after = archived(shared_deployment)
    assert len(after) >= len(before)
    assert body in after.values()
    assert shared_deployment.callbacks() == []
    assert "not a task message" in log.getvalue()
    assert body == "" or body not in log.getvalue()


def test_the_runtime_name_of_a_message_cannot_choose_the_archive_key(deployment: Deployment) -> None:
    """Anybody who may publish to the topic sets the attribute."""
    archive = Archive(deployment.s3, deployment.environment.task_bucket)
    day = datetime.now(UTC).date()
    key = archive.store("x", message_id="m", runtime="../../content", day=day, metadata={"queue": "ü"})
    assert key == f"dead-letters/{day.isoformat()}/unknown/m.json"


def test_a_message_is_redelivered_until_the_lease_of_its_task_has_ended(
    api: Client, deployment: Deployment
) -> None:
    clock = FakeClock()
    body = submitted(api, deployment)
    row = Worker(deployment, clock).start("test", seconds=60)
    assert dead_letter(deployment, body, clock=clock) == ["message-0"]
    assert deployment.row("test").item == row.item
    clock.forward(seconds=61)
    assert dead_letter(deployment, body, clock=clock) == []
    assert deployment.row("test").status is Status.FAILED


def test_orphaned_objects_of_the_last_worker_are_deleted(api: Client, deployment: Deployment) -> None:
    first = submitted(api, deployment)
    worker = Worker(deployment)
    finished_row = worker.run("test")
    assert api.submit(context="again").status == 200
    [second_message] = deployment.messages()
    clock = FakeClock()
    worker.store(worker.start("test"), 7)
    clock.forward(minutes=5)
    assert dead_letter(deployment, first, json.dumps(second_message), clock=clock) == []
    assert deployment.row("test").status is Status.FAILED
    bucket = deployment.environment.output_bucket
    keys = [entry["Key"] for entry in deployment.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert [f"s3://{bucket}/{key}" for key in keys] == finished_row.item["images"]


def test_the_pending_callback_of_a_finished_task_is_sent(api: Client, deployment: Deployment) -> None:
    body = submitted(api, deployment)
    Worker(deployment).run("test", notify=False)
    assert dead_letter(deployment, body) == []
    assert dead_letter(deployment, body) == []
    assert [callback["status"] for callback in deployment.callbacks()] == ["completed"]


def test_a_message_of_an_earlier_submission_changes_nothing(api: Client, deployment: Deployment) -> None:
    body = submitted(api, deployment)
    Worker(deployment).run("test")
    assert api.submit(context="again").status == 200
    before = deployment.row("test").item
    deployment.callbacks()
    assert dead_letter(deployment, body) == []
    assert deployment.row("test").item == before
    assert deployment.callbacks() == []


def test_a_task_that_was_published_directly_gets_a_row_and_an_outcome(deployment: Deployment) -> None:
    metadata = task("direct")["task"]["metadata"] | {
        "submission_id": "a1",
        "submitted_at": "2026-11-22T00:00:00.000Z",
    }
    body = json.dumps({"metadata": metadata, "content": {}})
    assert dead_letter(deployment, body) == []
    assert deployment.row("direct").status is Status.FAILED
    assert [callback["id"] for callback in deployment.callbacks()] == ["direct"]


def test_an_error_with_one_message_does_not_affect_others(
    api: Client, deployment: Deployment, log: io.StringIO
) -> None:
    bodies = [submitted(api, deployment, name) for name in ("a", "b")]
    sns = FakeSns(deployment.sns)
    sns.failing_topics.add(deployment.environment.result_topic_arn)
    assert dead_letter(deployment, *bodies, "not ours", sns=sns) == ["message-0", "message-1"]
    assert "SECRET-BODY" not in log.getvalue()
    assert dead_letter(deployment, *bodies) == []
    assert sorted(callback["id"] for callback in deployment.callbacks()) == ["a", "b"]


def test_a_message_is_redelivered_if_its_body_cannot_be_archived(api: Client, deployment: Deployment) -> None:
    body = submitted(api, deployment)
    before = deployment.row("test").item
    assert dead_letter(deployment, body, "not ours", s3=FakeS3()) == ["message-0", "message-1"]
    assert deployment.row("test").item == before


def test_messages_that_are_not_processed_in_time_are_redelivered(deployment: Deployment) -> None:
    """Lambda would delete a message that is not reported as failed."""
    time_checks = [True]
    redelivered = dead_letter(deployment, "x", "y", "z", time=lambda: bool(time_checks and time_checks.pop()))
    assert redelivered == ["message-1", "message-2"]
    assert list(archived(deployment).values()) == ["x"]
