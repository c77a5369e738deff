"""The dead-letter queues' Lambda: every body is archived, every task has its outcome."""

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
    """Submit a task and take its message."""
    assert api("POST", "/v1alpha2", task(task_id, **changes)).status == 200
    [message] = deployment.messages()
    return json.dumps(message)


def test_a_buried_task_fails_and_is_told(api: Client, deployment: Deployment) -> None:
    """Its body is archived under date, runtime and message."""
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
def test_what_is_not_ours_is_kept_byte_for_byte(
    shared_deployment: Deployment, log: io.StringIO, body: str
) -> None:
    """And that is all; the log says that it came, not what it was."""
    before = archived(shared_deployment)
    assert dead_letter(shared_deployment, body) == []
    after = archived(shared_deployment)
    assert len(after) >= len(before)
    assert body in after.values()
    assert shared_deployment.callbacks() == []
    assert "not a task message" in log.getvalue()
    assert body == "" or body not in log.getvalue()


def test_a_foreign_runtime_name_makes_no_foreign_key(deployment: Deployment) -> None:
    """Whoever publishes to the topic writes the attribute."""
    archive = Archive(deployment.s3, deployment.environment.task_bucket)
    day = datetime.now(UTC).date()
    key = archive.store("x", message_id="m", runtime="../../content", day=day, metadata={"queue": "ü"})
    assert key == f"dead-letters/{day.isoformat()}/unknown/m.json"


def test_a_task_that_a_worker_holds_waits(api: Client, deployment: Deployment) -> None:
    """A live lease: the message comes back; when the lease is dead, the task fails."""
    clock = FakeClock()
    body = submitted(api, deployment)
    row = Worker(deployment, clock).start("test", seconds=60)
    assert dead_letter(deployment, body, clock=clock) == ["message-0"]
    assert deployment.row("test").item == row.item
    clock.forward(seconds=61)
    assert dead_letter(deployment, body, clock=clock) == []
    assert deployment.row("test").status is Status.FAILED


def test_what_its_last_worker_stored_is_deleted(api: Client, deployment: Deployment) -> None:
    """Half an image is never an outcome; another attempt's are."""
    first = submitted(api, deployment)
    worker = Worker(deployment)
    done = worker.run("test")
    assert api.submit(context="again").status == 200
    [again] = deployment.messages()
    clock = FakeClock()
    worker.store(worker.start("test"), 7)
    clock.forward(minutes=5)
    assert dead_letter(deployment, first, json.dumps(again), clock=clock) == []
    assert deployment.row("test").status is Status.FAILED
    bucket = deployment.environment.output_bucket
    keys = [entry["Key"] for entry in deployment.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert [f"s3://{bucket}/{key}" for key in keys] == done.item["images"]


def test_a_finished_task_is_told_if_nobody_did(api: Client, deployment: Deployment) -> None:
    """Completed stays completed."""
    body = submitted(api, deployment)
    Worker(deployment).run("test", notify=False)
    assert dead_letter(deployment, body) == []
    assert dead_letter(deployment, body) == []
    assert [callback["status"] for callback in deployment.callbacks()] == ["completed"]


def test_a_message_of_an_earlier_attempt_changes_nothing(api: Client, deployment: Deployment) -> None:
    """The id was used again since."""
    body = submitted(api, deployment)
    Worker(deployment).run("test")
    assert api.submit(context="again").status == 200
    before = deployment.row("test").item
    deployment.callbacks()
    assert dead_letter(deployment, body) == []
    assert deployment.row("test").item == before
    assert deployment.callbacks() == []


def test_a_task_that_was_published_directly_has_its_outcome_too(deployment: Deployment) -> None:
    """No row: it is made, so that its caller hears of it."""
    metadata = task("direct")["task"]["metadata"] | {
        "submission_id": "a1",
        "submitted_at": "2026-11-22T00:00:00.000Z",
    }
    body = json.dumps({"metadata": metadata, "content": {}})
    assert dead_letter(deployment, body) == []
    assert deployment.row("direct").status is Status.FAILED
    assert [callback["id"] for callback in deployment.callbacks()] == ["direct"]


def test_a_fault_with_one_message_is_no_others(api: Client, deployment: Deployment, log: io.StringIO) -> None:
    """SNS refuses: the first two come back and are told later; the third needed no callback."""
    bodies = [submitted(api, deployment, name) for name in ("a", "b")]
    sns = FakeSns(deployment.sns)
    sns.down.add(deployment.environment.result_topic_arn)
    assert dead_letter(deployment, *bodies, "not ours", sns=sns) == ["message-0", "message-1"]
    assert "SECRET-BODY" not in log.getvalue()
    assert dead_letter(deployment, *bodies) == []
    assert sorted(callback["id"] for callback in deployment.callbacks()) == ["a", "b"]


def test_nothing_is_settled_whose_body_could_not_be_kept(api: Client, deployment: Deployment) -> None:
    """S3 is down: the message comes back, the task is as it was."""
    body = submitted(api, deployment)
    before = deployment.row("test").item
    assert dead_letter(deployment, body, "not ours", s3=FakeS3()) == ["message-0", "message-1"]
    assert deployment.row("test").item == before


def test_what_is_not_reached_in_time_comes_back(deployment: Deployment) -> None:
    """Lambda would count a message as settled that it was not told about."""
    left = [True]
    back = dead_letter(deployment, "x", "y", "z", time=lambda: bool(left and left.pop()))
    assert back == ["message-1", "message-2"]
    assert list(archived(deployment).values()) == ["x"]
