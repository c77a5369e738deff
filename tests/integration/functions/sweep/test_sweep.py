"""The sweep publishes lost messages, fails expired tasks, and sends missing callbacks."""

import json
from functools import partial
from typing import Any

import pytest

from domain.limits import QUEUE_RETENTION_DAYS
from domain.row import Status
from functions.sweep.sweep import READING_PAUSE_SECONDS, Report
from tests.support.api_client import Client
from tests.support.clock import FakeClock
from tests.support.deployment import DYNAMIC, STATIC, Deployment
from tests.support.failing_aws import FakeSns
from tests.support.worker import Worker, results, sweep


@pytest.fixture
def api(deployment: Deployment, clock: FakeClock, sns: FakeSns) -> Client:
    """Return the API with that clock and that SNS."""
    return Client(deployment, clock, sns=sns)


def filter_on(deployment: Deployment, runtimes: list[str]) -> None:
    """Change the filter policy of the dynamic runtime's subscription."""
    topic = deployment.environment.task_topic_arn
    for subscription in deployment.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        if subscription["Endpoint"].endswith(DYNAMIC):
            deployment.sns.set_subscription_attributes(
                SubscriptionArn=subscription["SubscriptionArn"],
                AttributeName="FilterPolicy",
                AttributeValue=json.dumps({"runtime": runtimes}),
            )


def test_a_task_that_was_not_published_is_published_once(
    api: Client, deployment: Deployment, clock: FakeClock, sns: FakeSns
) -> None:
    sns.failing_topics.add(deployment.environment.task_topic_arn)
    api.submit()
    clock.forward(seconds=20)
    assert sweep(deployment, clock) == Report()
    clock.forward(seconds=20)
    assert sweep(deployment, clock) == Report(republished=1)
    assert [message["metadata"]["id"] for message in deployment.messages()] == ["test"]
    assert sweep(deployment, clock) == Report()
    assert deployment.row("test").text("published_at") is not None


def test_a_task_whose_message_matched_no_queue_runs_after_the_sweep_published_it_again(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    filter_on(deployment, ["not-yet"])
    api.submit()
    assert deployment.row("test").text("published_at") is not None
    assert deployment.messages() == []
    clock.forward(minutes=4)
    assert sweep(deployment, clock) == Report(), "its message may still be on its way"
    clock.forward(minutes=2)
    assert sweep(deployment, clock) == Report(republished=1)
    assert deployment.messages() == [], "the filter is still not in effect"
    clock.forward(minutes=4)
    assert sweep(deployment, clock) == Report(), "the second message may still be on its way too"
    filter_on(deployment, [DYNAMIC])
    clock.forward(minutes=6)
    assert sweep(deployment, clock) == Report(republished=1)
    worker = Worker(deployment, clock)
    for message in deployment.messages():
        worker.deliver(message)
    assert worker.runs == ["test"]
    assert [callback["status"] for callback in deployment.callbacks()] == ["completed"]


def test_a_task_published_twice_runs_once(
    api: Client, deployment: Deployment, clock: FakeClock, sns: FakeSns
) -> None:
    api.submit()
    key = {"id": {"S": "test"}}
    change = "REMOVE published_at SET #o = :r, pending_since = :t"
    deployment.dynamodb.update_item(  # as if the API had died just before its last write
        TableName=deployment.environment.task_table,
        Key=key,
        UpdateExpression=change,
        ExpressionAttributeNames={"#o": "pending_runtime"},
        ExpressionAttributeValues={
            ":r": {"S": DYNAMIC},
            ":t": {"S": str(deployment.row("test").item["submitted_at"])},
        },
    )
    clock.forward(minutes=1)
    assert sweep(deployment, clock) == Report(republished=1)
    messages = deployment.messages()
    assert len(messages) == 2
    worker = Worker(deployment, clock)
    assert [worker.deliver(message) for message in messages] == ["claim", "delete_message"]
    assert worker.runs == ["test"]
    assert len(deployment.callbacks()) == 1
    assert len(sns.published_to) == 1


@pytest.mark.parametrize("state", ["visible", "in flight", "delayed"])
def test_nothing_is_published_again_while_the_queue_has_messages(
    api: Client, deployment: Deployment, clock: FakeClock, state: str
) -> None:
    api.submit()
    url = deployment.queue(DYNAMIC)
    if state == "in flight":
        assert deployment.sqs.receive_message(QueueUrl=url)["Messages"]
    elif state == "delayed":
        deployment.messages()
        deployment.sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=60)
    clock.forward(days=1)
    assert sweep(deployment, clock) == Report()


def test_an_empty_queue_is_checked_again_first(api: Client, deployment: Deployment, clock: FakeClock) -> None:
    """SQS's counts are approximate, so a queue can have messages although they say that it is empty."""
    api.submit()
    deployment.messages()
    clock.forward(minutes=10)
    url = deployment.queue(DYNAMIC)
    pauses: list[float] = []

    def send_message_during_pause(seconds: float) -> None:
        pauses.append(seconds)
        deployment.sqs.send_message(QueueUrl=url, MessageBody="{}")

    assert sweep(deployment, clock, pause=send_message_during_pause) == Report()
    assert pauses == [READING_PAUSE_SECONDS]
    deployment.messages()
    pauses.clear()
    assert sweep(deployment, clock, pause=pauses.append) == Report(republished=1)
    assert len(pauses) == 2


def test_only_tasks_of_empty_queues_are_published_again(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    api.submit("a", runtime=STATIC)
    api.submit("b", runtime=DYNAMIC)
    deployment.messages(STATIC)
    clock.forward(minutes=10)
    assert sweep(deployment, clock) == Report(republished=1)
    assert [message["metadata"]["id"] for message in deployment.messages(STATIC)] == ["a"]
    assert [message["metadata"]["id"] for message in deployment.messages(DYNAMIC)] == ["b"]


def test_a_running_task_without_a_worker_and_a_message_is_published_again(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    """This happens after an operator has purged the queue. The sweep waits until the lease has expired."""
    api.submit()
    worker = Worker(deployment, clock)
    clock.forward(minutes=6)
    worker.start("test", seconds=120)
    [message] = deployment.messages()
    clock.forward(seconds=60)
    assert sweep(deployment, clock) == Report()
    clock.forward(seconds=61)
    assert sweep(deployment, clock) == Report(republished=1)
    assert deployment.messages() == [message]


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_task_older_than_the_retention_of_its_queue_fails_and_its_callback_is_sent(
    api: Client, deployment: Deployment, clock: FakeClock, state: str
) -> None:
    api.submit(context="c")
    clock.forward(days=QUEUE_RETENTION_DAYS, seconds=-60)
    assert sweep(deployment, clock) == Report()
    worker = Worker(deployment, clock)
    if state == "running":
        worker.start("test", seconds=120)
    clock.forward(seconds=90)
    if state == "running":
        assert sweep(deployment, clock) == Report()
        clock.forward(seconds=60)
    assert sweep(deployment, clock) == Report(expired=1, notified=1)
    [callback] = deployment.callbacks()
    assert (callback["status"], callback["context"]) == ("failed", "c")
    assert callback["error"]["code"] == "task_expired"
    assert sweep(deployment, clock) == Report()
    for message in deployment.messages():
        assert worker.deliver(message) == "delete_message"


def test_a_requested_cancel_is_executed_if_its_worker_and_message_are_lost(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    api.submit()
    Worker(deployment, clock).start("test")
    assert api("DELETE", "/v1alpha2/tasks/test").status == 202
    clock.forward(days=QUEUE_RETENTION_DAYS + 1)
    assert sweep(deployment, clock) == Report(expired=1, notified=1)
    assert deployment.row("test").status is Status.CANCELLED


def test_a_callback_that_is_pending_for_long_is_sent_once(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    api.submit()
    Worker(deployment, clock).run("test", notify=False)
    clock.forward(minutes=3)
    assert sweep(deployment, clock) == Report(), "its worker may be about to publish the callback"
    clock.forward(minutes=2)
    assert sweep(deployment, clock) == Report(notified=1)
    assert [callback["status"] for callback in deployment.callbacks()] == ["completed"]
    assert sweep(deployment, clock) == Report()


def test_an_error_with_one_task_does_not_affect_others(
    api: Client, deployment: Deployment, clock: FakeClock, sns: FakeSns
) -> None:
    api.submit("done")
    Worker(deployment, clock).run("done", notify=False)
    sns.failing_topics.add(deployment.environment.task_topic_arn)
    api.submit("lost")
    sns.failing_topics = {deployment.environment.result_topic_arn}
    deployment.messages()
    clock.forward(minutes=5)
    assert sweep(deployment, clock, sns=sns) == Report(republished=1, failed=1)
    sns.failing_topics.clear()
    assert sweep(deployment, clock, sns=sns) == Report(notified=1)


def test_a_run_stops_in_time_and_the_next_one_continues(
    api: Client, deployment: Deployment, clock: FakeClock, sns: FakeSns
) -> None:
    sns.failing_topics.add(deployment.environment.task_topic_arn)
    for name in "abcde":
        api.submit(name)
    clock.forward(minutes=1)
    time_checks: list[Any] = [True, True, True]  # then the time is over
    first = sweep(deployment, clock, time_is_left=partial(_next_time_check, time_checks))
    assert first == Report(republished=3, unfinished=True)
    assert sweep(deployment, clock) == Report(republished=2)
    assert sorted(message["metadata"]["id"] for message in deployment.messages()) == list("abcde")


def _next_time_check(time_checks: list[Any]) -> bool:
    return bool(time_checks and time_checks.pop())


def test_only_pending_rows_are_in_the_index(api: Client, deployment: Deployment, sns: FakeSns) -> None:
    def is_indexed(name: str) -> bool:
        return "pending_runtime" in deployment.row(name).item

    api.submit("a")
    assert not is_indexed("a")
    row = Worker(deployment).run("a", notify=False)
    assert is_indexed("a")
    results(deployment).notify(row)
    assert not is_indexed("a")
    sns.failing_topics.add(deployment.environment.task_topic_arn)
    api.submit("b")
    assert is_indexed("b")
