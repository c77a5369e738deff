"""A message that is no task is archived, and the consumer continues."""

import json
from typing import Any

import pytest

from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi
from tests.support.cloud import RUNTIME, Cloud
from tests.support.consumers import running_consumer
from tests.support.dead_letters import archived, dead_letter

METADATA = {
    "id": "other",
    "runtime": RUNTIME,
    "tasktype": "text-to-image",
    "prefix": "output",
    "context": None,
    "submission_id": "0123456789abcdef",
    "submitted_at": "2026-11-22T17:00:00.000Z",
}


def message(**changes: Any) -> str:
    """Return a message with changed metadata."""
    return json.dumps({"metadata": METADATA | changes, "content": {}})


FOREIGN_BODIES = {
    "no JSON": "hello",
    "deep": "[" * 100_000,
    "another's JSON": '{"Records": []}',
    "no object": "[]",
    "no content": json.dumps({"metadata": METADATA}),
    "another runtime's": message(runtime="another"),
    "no task type": message(tasktype="a/../b"),
    "an id that is a path": message(id="../x"),
    "a number that is none": '{"metadata": NaN}',
    "a lone surrogate": json.dumps({"metadata": METADATA | {"context": "\ud800"}, "content": {}}),
}


@pytest.mark.parametrize("body", FOREIGN_BODIES.values(), ids=FOREIGN_BODIES.keys())
def test_a_message_that_is_no_task_is_archived_and_the_next_task_is_completed(
    cloud: Cloud, webui: FakeWebUi, task_id: str, body: str
) -> None:
    cloud.client("sqs").send_message(QueueUrl=cloud.queue_url, MessageBody=body)
    with running_consumer(cloud, webui.url) as worker:
        cloud.submit(task_id)
        assert cloud.outcome(task_id).status is Status.COMPLETED
        cloud.wait_until_empty()
    assert worker.error is None
    (dead_lettered,) = cloud.drain_queue(cloud.dead_letter_url)
    assert dead_lettered == body
    assert dead_letter(cloud.deployment, dead_lettered) == []
    assert list(archived(cloud.deployment).values()) == [body]


def test_a_task_type_that_its_runtime_does_not_know_fails_its_task(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    body = message(id=task_id, tasktype="text-to-video")
    cloud.client("sqs").send_message(QueueUrl=cloud.queue_url, MessageBody=body)
    with running_consumer(cloud, webui.url):
        row = cloud.outcome(task_id)
    assert row.status is Status.FAILED
    assert row.item["error"]["code"] == "invalid_content"
    assert "/tasktype: one of text-to-image" in row.item["error"]["message"]
