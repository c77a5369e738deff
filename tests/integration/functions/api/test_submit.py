"""Submitting a task: the response, the row and the message, and that one id has one job."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.row import Status
from tests.support.api_client import Client, guidance_v1alpha1
from tests.support.clock import FakeClock
from tests.support.deployment import CHECKPOINT, DYNAMIC, Deployment
from tests.support.failing_aws import FakeS3, FakeSns
from tests.support.worker import Worker


def test_a_v1alpha2_task_gets_a_row_a_message_and_the_documented_response(
    api: Client, deployment: Deployment
) -> None:
    answer = api.submit("test-i2i", context={"any": ["json", 1, None]})
    bucket = deployment.environment.output_bucket
    href = "https://abc.execute-api.us-east-1.amazonaws.com/prod/v1alpha2/tasks/test-i2i"
    assert answer.status == 200
    assert answer.body == {
        "id_task": "test-i2i",
        "runtime": DYNAMIC,
        "output_location": f"s3://{bucket}/output/test-i2i",
        "id": "test-i2i",
        "status": "queued",
        "links": {
            "status": {"method": "GET", "href": href},
            "cancel": {"method": "DELETE", "href": href},
        },
        "warnings": [],
    }
    row = deployment.row("test-i2i")
    assert row.text("published_at") is not None
    [message] = deployment.messages()
    assert message["metadata"]["submission_id"] == row.submission_id
    assert message["metadata"]["context"] == {"any": ["json", 1, None]}
    assert message["content"]["prompt"] == "a cat"


def test_a_v1alpha1_task_gets_its_own_response_and_the_same_message(
    api: Client, deployment: Deployment
) -> None:
    answer = api("POST", "/v1alpha1", guidance_v1alpha1())
    assert answer.status == 200
    assert answer.body["id_task"] == "test-i2i"
    assert answer.body["sd_model_checkpoint"] == CHECKPOINT
    assert answer.body["output_location"] == f"s3://{deployment.environment.output_bucket}/output/test-i2i"
    assert "runtime" not in answer.body
    [message] = deployment.messages()
    assert message["content"]["init_images"] == ["https://example.org/cat.png"]


def test_dropped_fields_get_a_warning(api: Client) -> None:
    answer = api.submit(content={"prompt": "a cat", "save_images": True})
    assert answer.status == 200
    assert [warning["path"] for warning in answer.body["warnings"]] == ["/task/content/save_images"]


def test_large_content_is_stored_in_s3(api: Client, deployment: Deployment) -> None:
    image = "A" * (3 << 20)
    answer = api.submit(tasktype="image-to-image", content={"init_images": [image]})
    assert answer.status == 200
    [message] = deployment.messages()
    assert "content" not in message
    bucket, _, key = message["content_ref"].removeprefix("s3://").partition("/")
    assert bucket == deployment.environment.task_bucket
    stored_content = deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert image.encode() in stored_content
    assert len(str(deployment.row("test").item["message"])) < 2000
    second_answer = api.submit(tasktype="image-to-image", content={"init_images": [image]})
    assert second_answer.body == answer.body
    assert api.submit(tasktype="image-to-image", content={"init_images": [image + "A"]}).status == 409


def test_a_repeated_request_gets_the_current_status_and_makes_no_second_job(
    api: Client, deployment: Deployment
) -> None:
    first = api.submit()
    assert api.submit().body == first.body
    worker = Worker(deployment)
    row = worker.start("test")
    assert api.submit().body == first.body | {"status": "running"}
    worker.finish(row)
    assert api.submit().body == first.body | {"status": "completed"}
    assert len(deployment.messages()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"context": 1},
        {"prefix": "other"},
        {"content": {"prompt": "a dog", "steps": 16}},
        {"runtime": "static-runtime"},
    ],
)
def test_another_task_under_an_active_id_is_refused(
    api: Client, deployment: Deployment, change: dict[str, Any]
) -> None:
    api.submit()
    before = deployment.row("test").item
    answer = api.submit(**change)
    assert (answer.status, answer.code) == (409, "conflict")
    assert deployment.row("test").item == before


def test_a_finished_id_can_be_submitted_again(deployment: Deployment) -> None:
    clock = FakeClock()
    api, worker = Client(deployment, clock), Worker(deployment, clock)
    api.submit()
    first = worker.run("test")
    assert api.submit(context="other").status == 200
    second = deployment.row("test")
    assert second.submission_id != first.submission_id
    assert second.status is Status.QUEUED
    assert second.fences == frozenset()
    worker.run("test")
    clock.forward(minutes=9)
    assert api.submit(context="other").body["status"] == "completed"
    clock.forward(minutes=2)
    assert api.submit(context="other").body["status"] == "queued"
    assert [message["metadata"]["submission_id"] for message in deployment.messages()] == [
        first.submission_id,
        second.submission_id,
        deployment.row("test").submission_id,
    ]


def test_a_pending_callback_is_sent_before_its_row_is_replaced(api: Client, deployment: Deployment) -> None:
    api.submit(context="first")
    Worker(deployment).run("test", notify=False)
    assert deployment.callbacks() == []
    assert api.submit(context="second").status == 200
    [callback] = deployment.callbacks()
    assert (callback["context"], callback["status"]) == ("first", "completed")


def test_a_row_is_not_replaced_while_its_callback_cannot_be_sent(deployment: Deployment) -> None:
    sns = FakeSns(deployment.sns)
    api = Client(deployment, sns=sns)
    api.submit(context="first")
    finished_row = Worker(deployment).run("test", notify=False)
    sns.failing_topics.add(deployment.environment.result_topic_arn)
    refusal = api.submit(context="second")
    assert (refusal.status, refusal.code) == (409, "conflict")
    assert "callback has not been sent yet" in refusal.body["error"]["message"]
    assert deployment.row("test").submission_id == finished_row.submission_id


def test_a_task_is_accepted_even_if_its_message_cannot_be_published(deployment: Deployment) -> None:
    clock, sns = FakeClock(), FakeSns(deployment.sns)
    api = Client(deployment, clock, sns=sns)
    sns.failing_topics.add(deployment.environment.task_topic_arn)
    answer = api.submit()
    assert (answer.status, answer.body["status"]) == (200, "queued")
    assert "tried again" in answer.body["warnings"][0]["message"]
    assert deployment.row("test").text("published_at") is None
    sns.failing_topics.clear()

    clock.forward(seconds=20)
    assert api.submit().status == 200
    assert deployment.messages() == [], "the first request may still be about to publish"
    clock.forward(seconds=20)
    assert api.submit().body["warnings"] == []
    assert [message["metadata"]["id"] for message in deployment.messages()] == ["test"]
    assert deployment.row("test").text("published_at") is not None
    assert api.submit().status == 200
    assert deployment.messages() == []


def test_a_task_is_not_accepted_if_its_large_content_cannot_be_stored(deployment: Deployment) -> None:
    answer = Client(deployment, s3=FakeS3()).submit(content={"comments": {"x": "A" * (200 << 10)}})
    assert answer.status == 500
    assert deployment.table.get("test") is None


def test_fifty_simultaneous_submits_make_one_job(api: Client, deployment: Deployment) -> None:

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: api.submit(), range(50)))
    assert {answer.status for answer in answers} == {200}
    assert all(answer.body == answers[0].body for answer in answers)
    [message] = deployment.messages()
    assert message["metadata"]["submission_id"] == deployment.row("test").submission_id


def test_of_fifty_different_tasks_under_one_id_one_is_accepted(api: Client, deployment: Deployment) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: api.submit(context=number), range(50)))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 49}
    [message] = deployment.messages()
    assert answers[message["metadata"]["context"]].status == 200


def test_fifty_submits_of_a_finished_id_make_one_submission(api: Client, deployment: Deployment) -> None:
    api.submit(context="first")
    Worker(deployment).run("test", notify=False)
    deployment.messages()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: api.submit(context=number), range(50)))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 49}
    assert len(deployment.messages()) == 1
    assert {callback["context"] for callback in deployment.callbacks()} == {"first"}
