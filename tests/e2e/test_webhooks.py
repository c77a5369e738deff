"""A webhook gets its task's outcome through the deployed functions, and again on request."""

from typing import Any

import pytest

from local.pipeline import Pipeline
from local.receiver import run_receiver, signing_secret, verify_webhook
from tests.support import bodies


def _body(task_id: str, webhook: Any, **content: Any) -> dict[str, Any]:
    body = bodies.v1alpha2(task_id, "text-to-image", {"prompt": "a cat", "steps": 2} | content)
    body["task"]["metadata"]["webhook"] = webhook
    return body


def test_an_outcome_is_delivered_signed_and_can_be_sent_again(pipeline: Pipeline, task_id: str) -> None:
    with run_receiver() as receiver:
        events = ["running", "completed", "failed"]
        answer = pipeline.submit(_body(task_id, {"url": f"{receiver.url}/hook?key=1", "events": events}))
        assert answer.status_code == 200, answer.text
        callback = pipeline.wait_for_callback(task_id)
        requests = {request.json["type"]: request for request in receiver.wait_for_requests(2)}
        assert set(requests) == {"task.running", "task.completed"}
        completed = requests["task.completed"]
        data = verify_webhook(completed, signing_secret(pipeline.aws, pipeline.deployment))["data"]
        assert {name: data[name] for name in callback} == callback
        assert [link["s3"] for link in data["links"]["images"]] == callback["image_url"]

        assert pipeline.call("POST", f"/v1alpha2/tasks/{task_id}/webhook").status_code == 202
        again = receiver.wait_for_requests(3)[-1]
        assert again.headers["webhook-id"] == completed.headers["webhook-id"]

    shown = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}").json()["deliveries"]
    assert [each["event"] for each in shown] == ["completed", "failed", "running"]
    assert shown[0]["url"] == f"{receiver.url}/hook"
    assert (shown[0]["attempts"], shown[0]["last_status"]) == (2, 204)
    assert shown[0]["delivered_at"] is not None
    assert (shown[1]["attempts"], shown[1]["delivered_at"]) == (0, None)


def test_a_v1alpha1_task_has_a_webhook_too(pipeline: Pipeline, task_id: str) -> None:
    with run_receiver() as receiver:
        body = bodies.v1alpha1(task_id, "text-to-image", {"prompt": "a cat", "steps": 2})
        body["alwayson_scripts"]["webhook"] = receiver.url
        assert pipeline.submit(body, "v1alpha1").status_code == 200
        pipeline.wait_for_callback(task_id)
        (request,) = receiver.wait_for_requests(1)
    assert request.json["data"]["id"] == task_id


def test_a_receiver_that_fails_at_first_gets_the_event_within_seconds(
    pipeline: Pipeline, task_id: str
) -> None:
    statuses = iter([503, 200])
    with run_receiver(lambda _: next(statuses)) as receiver:
        pipeline.submit(_body(task_id, receiver.url))
        pipeline.wait_for_callback(task_id)
        first, second = receiver.wait_for_requests(2, seconds=60)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


@pytest.mark.parametrize("path", ["webhook", "outputs"])
def test_a_task_without_a_webhook_sends_none_again(pipeline: Pipeline, task_id: str, path: str) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", {"prompt": "a cat", "steps": 2})
    pipeline.submit(body)
    pipeline.wait_for_callback(task_id)
    method = "POST" if path == "webhook" else "DELETE"
    answer = pipeline.call(method, f"/v1alpha2/tasks/{task_id}/{path}")
    assert answer.status_code == (409 if path == "webhook" else 200)
