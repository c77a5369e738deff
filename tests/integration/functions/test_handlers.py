"""The entry points of the functions."""

import importlib
import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from functions.environment import ApiEnvironment
from local.emulator import Emulator
from tests.support.api_client import Client
from tests.support.dead_letters import record
from tests.support.deployment import DYNAMIC, Deployment

ENTRIES = ("api", "sweep", "dead_letters")


@pytest.fixture
def environ(deployment: Deployment, aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the environment of a function in this process, and forget the handlers that it created."""
    environment = deployment.environment
    values = {name: getattr(environment, name.lower()) for name in ApiEnvironment.names()}
    values["RUNTIMES"] = json.dumps([runtime.as_dict() for runtime in environment.runtimes])
    values["LIMITS"] = environment.limits.to_json()
    values["WEBHOOKS_ALLOW"] = ""
    # boto3's default session remembers the environment in which it was made.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in (aws.environment({}) | values).items():
        monkeypatch.setenv(name, value)
    yield
    for name in ENTRIES:
        sys.modules.pop(f"functions.{name}.handler", None)


def call(name: str, event: dict[str, Any]) -> Any:
    """Load a function's entry point again and call it with two minutes left."""
    sys.modules.pop(f"functions.{name}.handler", None)
    handler = importlib.import_module(f"functions.{name}.handler").handler
    return handler(event, SimpleNamespace(get_remaining_time_in_millis=lambda: 120_000))


@pytest.mark.usefixtures("environ")
def test_the_entry_point_of_the_api_responds(deployment: Deployment) -> None:
    event = {
        "path": "/v1alpha2/runtimes",
        "httpMethod": "GET",
        "headers": {"Host": "h"},
        "requestContext": {"requestId": "r", "path": "/prod/v1alpha2/runtimes", "domainName": "h"},
        "body": None,
        "isBase64Encoded": False,
    }
    answer = call("api", event)
    assert answer["statusCode"] == 200
    assert [
        runtime["name"] for runtime in json.loads(answer["body"])["runtimes"]
    ] == deployment.environment.runtimes.names


@pytest.mark.usefixtures("environ")
def test_the_entry_point_of_the_sweep_returns_a_report() -> None:
    assert call("sweep", {}) == {
        "republished": 0,
        "expired": 0,
        "notified": 0,
        "failed": 0,
        "unfinished": False,
    }


@pytest.mark.usefixtures("environ")
def test_the_entry_point_for_dead_letters_processes_messages(api: Client, deployment: Deployment) -> None:
    api.submit()
    [message] = deployment.messages(DYNAMIC)
    event = {"Records": [record(0, json.dumps(message)), record(1, "hello")]}
    assert call("dead_letters", event) == {"batchItemFailures": []}
    assert [callback["status"] for callback in deployment.callbacks()] == ["failed"]


@pytest.mark.usefixtures("environ")
def test_all_missing_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TASK_TABLE")
    monkeypatch.setenv("TASK_BUCKET", "")
    with pytest.raises(RuntimeError, match="TASK_BUCKET, TASK_TABLE"):
        call("api", {})


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        (None, "https://bucket.s3.eu-central-1.amazonaws.com/"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1/bucket/"),
    ],
)
def test_presigned_links_contain_the_buckets_region(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, host: str
) -> None:
    """S3's global endpoint would redirect, which breaks the signature."""
    from functions.clients import client

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    url = client("s3").generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})
    assert url.startswith(host)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
