"""Tasks belong to the group that they name, or to that of their API key, on their whole way to the queue."""

import json
from typing import Any

import pytest

from tests.support.api_client import API_KEY, Client, guidance_v1alpha1
from tests.support.clock import FakeClock
from tests.support.deployment import DYNAMIC, Deployment
from tests.support.failing_aws import FakeSns
from tests.support.worker import Worker, sweep

KEY_ID = "key-id"
GROUP = "team/7:night-jobs"


def _received(deployment: Deployment) -> list[tuple[str | None, str | None]]:
    """Receive all messages; return the group that SQS knows of each, and the one in the message."""
    found = []
    answer: Any = deployment.sqs.receive_message(
        QueueUrl=deployment.queue(DYNAMIC),
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["MessageGroupId"],
    )
    for message in answer.get("Messages", []):
        group = message.get("Attributes", {}).get("MessageGroupId")
        found.append((group, json.loads(message["Body"])["metadata"].get("group")))
    return found


def test_a_group_is_in_row_message_and_queue(api: Client, deployment: Deployment) -> None:
    assert api.submit(group=GROUP).status == 200
    assert deployment.row("test").text("group") == GROUP
    assert _received(deployment) == [(GROUP, GROUP)]


def test_without_a_group_the_id_of_the_api_key_is_the_group_and_never_the_key(
    api: Client, deployment: Deployment
) -> None:
    assert api.submit().status == 200
    row = deployment.row("test")
    assert row.text("group") == KEY_ID
    assert API_KEY not in json.dumps(row.item, default=str)
    assert _received(deployment) == [(KEY_ID, KEY_ID)]


def test_a_v1alpha1_task_has_a_group_too(api: Client, deployment: Deployment) -> None:
    body = guidance_v1alpha1()
    body["alwayson_scripts"]["group"] = GROUP
    assert api("POST", "/v1alpha1", body).status == 200
    assert _received(deployment) == [(GROUP, GROUP)]
    body["alwayson_scripts"] |= {"group": "two words", "id_task": "other"}
    assert api("POST", "/v1alpha1", body).faults == ["/alwayson_scripts/group"]


def test_large_content_keeps_its_group(api: Client, deployment: Deployment) -> None:
    prompts = {"prompt": "x" * 9000, "negative_prompt": "y" * 9000, "hr_prompt": "z" * 9000}
    content = prompts | {"hr_negative_prompt": "w" * 9000, "enable_hr": True}
    assert api.submit(group=GROUP, content=content).status == 200
    assert _received(deployment) == [(GROUP, GROUP)]


def test_the_sweep_publishes_a_task_again_in_its_group(deployment: Deployment) -> None:
    clock, sns = FakeClock(), FakeSns(deployment.sns)
    sns.failing_topics.add(deployment.environment.task_topic_arn)
    Client(deployment, clock, sns=sns).submit(group=GROUP)
    clock.forward(minutes=2)
    sweep(deployment, clock)
    assert _received(deployment) == [(GROUP, GROUP)]


@pytest.mark.parametrize("group", ["", "two words", "ü", "x" * 65, 7, ["a"], "a\n"])
def test_a_group_that_sqs_would_refuse_is_refused_at_submit(
    api: Client, deployment: Deployment, group: Any
) -> None:
    assert api.submit(group=group).faults == ["/task/metadata/group"]
    assert deployment.table.get("test") is None


def test_only_a_named_group_is_part_of_what_was_asked_for(api: Client, deployment: Deployment) -> None:
    assert api.submit(group=GROUP).status == 200
    assert api.submit(group=GROUP).status == 200
    assert api.submit(group="other").status == 409
    assert api.submit().status == 409
    Worker(deployment).run("test")
    assert api.submit(group="x" * 64).status == 200
