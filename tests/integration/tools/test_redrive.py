"""The operator's redrive of dead-lettered tasks."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import typer
from typer.testing import CliRunner, Result

from domain.row import Status
from local.emulator import Emulator
from tests.support.api_client import Client
from tests.support.dead_letters import dead_letter
from tests.support.deployment import DYNAMIC, STATIC, Deployment
from tests.support.worker import Worker
from tools import redrive

TODAY = datetime.now(UTC).date().isoformat()


@pytest.fixture
def stack(deployment: Deployment, aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Deploy a stack with the core stack's outputs, and let boto3 use the emulator."""
    environment = deployment.environment
    outputs = {
        "LargeTaskBucket": environment.task_bucket,
        "TaskTable": environment.task_table,
        "TaskTopicArn": environment.task_topic_arn,
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    name = f"stack-{environment.task_table}"
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for variable, value in aws.environment({}).items():
        monkeypatch.setenv(variable, value)
    return name


def run(stack: str, *options: str) -> Result:
    """Run the command as an operator does."""
    app = typer.Typer()
    app.command()(redrive.main)
    result = CliRunner().invoke(app, ["--stack", stack, "--day", TODAY, *options])
    assert result.exit_code == 0, result.output
    return result


def dead_lettered(api: Client, deployment: Deployment, *names: str, **changes: Any) -> dict[str, str]:
    """Submit tasks and dead-letter their messages; return the messages' bodies by task id."""
    for name in names:
        assert api.submit(name, **changes).status == 200
    runtime = changes.get("runtime", DYNAMIC)
    bodies = {message["metadata"]["id"]: json.dumps(message) for message in deployment.messages(runtime)}
    assert dead_letter(deployment, *bodies.values()) == []
    deployment.callbacks()
    return bodies


def test_without_go_nothing_is_changed(api: Client, deployment: Deployment, stack: str) -> None:
    dead_lettered(api, deployment, "a", "b")
    before = deployment.row("a").item
    output = run(stack).output
    assert "would redrive\tsdruntime\ta\t" in output
    assert "2 to redrive (nothing was changed: add --go), 0 skipped" in output
    assert deployment.row("a").item == before
    assert deployment.messages() == []


def test_a_redriven_task_runs_once_as_a_new_submission_with_its_context(
    api: Client, deployment: Deployment, stack: str
) -> None:
    dead_lettered(api, deployment, "a", context={"c": 1})
    first = deployment.row("a")
    assert "1 redriven, 0 skipped" in run(stack, "--go").output
    row = deployment.row("a")
    assert row.submission_id != first.submission_id
    assert (row.status, row.item["digest"]) == (Status.QUEUED, first.item["digest"])
    [message] = deployment.messages()
    worker = Worker(deployment)
    assert worker.deliver(message) == "claim"
    [callback] = deployment.callbacks()
    assert (callback["status"], callback["context"]) == ("completed", {"c": 1})
    output = run(stack, "--go").output
    assert "submitted again since" in output
    assert "0 redriven, 1 skipped" in output
    assert deployment.messages() == []


def test_a_task_with_large_content_is_redriven_unless_its_content_was_deleted(
    api: Client, deployment: Deployment, stack: str
) -> None:
    image = "A" * (300 << 10)
    dead_lettered(api, deployment, "a", "b", tasktype="image-to-image", content={"init_images": [image]})
    bucket = deployment.environment.task_bucket
    submission_id = deployment.row("b").submission_id
    deployment.s3.delete_object(Bucket=bucket, Key=f"content/b/{submission_id}.json")
    output = run(stack, "--go").output
    assert "b: its content has been deleted" in output
    [message] = deployment.messages()
    key = message["content_ref"].removeprefix(f"s3://{bucket}/")
    assert image.encode() in deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_a_task_submitted_again_and_one_without_its_callback_are_skipped(
    api: Client, deployment: Deployment, stack: str
) -> None:
    bodies = dead_lettered(api, deployment, "again", "pending")
    assert api.submit("again", context="other").status == 200
    deployment.messages()
    deployment.dynamodb.update_item(
        TableName=deployment.environment.task_table,
        Key={"id": {"S": "pending"}},
        UpdateExpression="REMOVE notified_at",
    )
    assert len(bodies) == 2
    before = deployment.row("again").item
    output = run(stack, "--go").output
    assert "again: its id has been submitted again" in output
    assert "pending: its final callback has not been sent yet" in output
    assert deployment.row("again").item == before
    assert deployment.messages() == []


def test_a_message_that_is_no_task_is_skipped(deployment: Deployment, stack: str) -> None:
    dead_letter(deployment, "hello")
    output = run(stack, "--go").output
    assert f"skipped\tdead-letters/{TODAY}/{DYNAMIC}/message-0.json\tnot a task message" in output


def test_the_runtime_and_the_message_id_select_messages(
    api: Client, deployment: Deployment, stack: str
) -> None:
    dead_lettered(api, deployment, "a", "b")
    dead_lettered(api, deployment, "c", runtime=STATIC)
    assert "0 redriven, 0 skipped" in run(stack, "--go", "--runtime", STATIC, "--message", "message-1").output
    assert "1 redriven, 0 skipped" in run(stack, "--go", "--runtime", STATIC).output
    assert "1 redriven, 0 skipped" in run(stack, "--go", "--message", "message-1").output
    assert len(deployment.messages(STATIC)) == len(deployment.messages(DYNAMIC)) == 1


def test_a_task_without_a_row_is_submitted(api: Client, deployment: Deployment, stack: str) -> None:
    dead_lettered(api, deployment, "a")
    table = deployment.environment.task_table
    deployment.dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    assert "1 redriven" in run(stack, "--go").output
    assert deployment.row("a").status is Status.QUEUED
