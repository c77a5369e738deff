"""SQS delivers messages at least once, but a task has exactly one outcome."""

import json
import secrets
import time
from collections.abc import Iterator

import pytest

from local.pipeline import Pipeline
from tests.support import bodies

EMPTY_QUEUE_SECONDS = 30.0


@pytest.fixture
def published_messages_url(pipeline: Pipeline) -> Iterator[str]:
    """Subscribe a queue of the test to the tasks topic; return its URL."""
    sqs, sns = pipeline.aws.client("sqs"), pipeline.aws.client("sns")
    url = sqs.create_queue(QueueName=f"published-{secrets.token_hex(4)}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscription = sns.subscribe(
        TopicArn=pipeline.deployment.outputs["TaskTopicArn"],
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    yield url
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=url)


def _message_of(pipeline: Pipeline, queue_url: str, task_id: str) -> str:
    """Return the message that the API published for a task."""
    sqs = pipeline.aws.client("sqs")
    for _ in range(20):  # the queue gets the messages of other tests too
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=10)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            body: str = message["Body"]
            if json.loads(body)["metadata"]["id"] == task_id:
                return body
    raise AssertionError(f"no message of {task_id} was published")


def _wait_until_queue_is_empty(pipeline: Pipeline) -> None:
    """Wait until the runtime's queue is empty."""
    sqs = pipeline.aws.client("sqs")
    url = pipeline.deployment.runtime(bodies.RUNTIME).queue_url
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + EMPTY_QUEUE_SECONDS
    while any(
        int(count)
        for count in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"].values()
    ):
        assert time.monotonic() < deadline, "the queue was not emptied"
        time.sleep(0.05)  # SQS has no event for this


def _deliver_again(pipeline: Pipeline, message: str, times: int) -> None:
    sqs = pipeline.aws.client("sqs")
    url = pipeline.deployment.runtime(bodies.RUNTIME).queue_url
    for _ in range(times):
        sqs.send_message(QueueUrl=url, MessageBody=message)


def test_a_message_that_is_delivered_after_the_outcome_changes_nothing(
    pipeline: Pipeline, task_id: str, published_messages_url: str
) -> None:
    pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image()))
    pipeline.wait_for_callback(task_id)
    message = _message_of(pipeline, published_messages_url, task_id)
    _wait_until_queue_is_empty(pipeline)
    before = (pipeline.objects(f"output/{task_id}/"), pipeline.row(task_id))

    _deliver_again(pipeline, message, times=3)
    _wait_until_queue_is_empty(pipeline)
    # Any callback that the copies caused was sent before that of this task, which is submitted after them.
    pipeline.submit(bodies.v1alpha2(f"{task_id}-after", "text-to-image", bodies.text_to_image()))
    pipeline.wait_for_callback(f"{task_id}-after")

    assert (pipeline.objects(f"output/{task_id}/"), pipeline.row(task_id)) == before
    assert len(before[0]) == 2  # an image and the output document
    assert len(pipeline.callbacks.of_task(task_id)) == 1


def test_copies_of_a_message_make_one_image(
    pipeline: Pipeline, task_id: str, published_messages_url: str
) -> None:
    pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(steps=20)))
    _deliver_again(pipeline, _message_of(pipeline, published_messages_url, task_id), times=3)
    pipeline.wait_for_callback(task_id)
    _wait_until_queue_is_empty(pipeline)

    assert len(pipeline.objects(f"output/{task_id}/")) == 2
    # A copy that is received before the row says that the callback was sent sends the same callback again.
    callback_bodies = [callback.body for callback in pipeline.callbacks.of_task(task_id)]
    assert all(body == callback_bodies[0] for body in callback_bodies)


def test_a_repeated_request_is_the_same_task(pipeline: Pipeline, task_id: str) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image())
    first = pipeline.submit(body).json()
    pipeline.wait_for_callback(task_id)
    again = pipeline.submit(body)
    _wait_until_queue_is_empty(pipeline)

    assert again.status_code == 200
    assert again.json()["output_location"] == first["output_location"]
    assert again.json()["status"] == "completed"
    assert len(pipeline.objects(f"output/{task_id}/")) == 2


def test_a_new_submission_under_a_finished_id_overwrites_no_object(pipeline: Pipeline, task_id: str) -> None:
    pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image("first")))
    first = pipeline.wait_for_callback(task_id)
    kept = {link: pipeline.download(link) for link in (*first["image_url"], first["output_url"])}

    assert pipeline.submit(
        bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image("second"))
    ).is_success
    pipeline.callbacks.wait_for(
        task_id, timeout=60, condition=lambda callback: callback.body["output_url"] not in kept
    )

    assert len(pipeline.objects(f"output/{task_id}/")) == 4
    assert {link: pipeline.download(link) for link in kept} == kept
