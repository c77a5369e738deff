"""Routes besides tasks: unknown paths, internal errors, runtimes, uploads, and the content of the log."""

import io
import json
import re
from typing import Any

import httpx
import pytest

from domain.api_routes import ROUTES, Route
from domain.limits import DEFAULT_LIMITS
from functions.api.links import MAX_UPLOAD_BYTES
from functions.api.routes import create_app
from tests.support.api_client import API_KEY, Client
from tests.support.deployment import CHECKPOINT, DYNAMIC, STATIC, Deployment
from tests.support.failing_aws import FakeSns
from tests.support.worker import Worker


def test_the_function_serves_exactly_the_routes_of_the_table(shared_api: Client) -> None:
    app = create_app(shared_api._services)
    answered = {
        Route(route.method, re.sub(r"<(?:task_)?(\w+)>", r"{\1}", route.path))
        for route in (*app._static_routes, *app._dynamic_routes)
    }
    assert answered == set(ROUTES)


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1alpha3", "/v1alpha2/tasks/a/b", "/v1alpha2/nope", "/openapi.yaml"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_paths_are_not_found(shared_api: Client, method: str, path: str) -> None:
    answer = shared_api(method, path)
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed_methods"),
    [
        ("GET", "/v1alpha1", "POST"),
        ("PUT", "/v1alpha2", "POST"),
        ("POST", "/v1alpha2/tasks", "GET"),
        ("POST", "/v1alpha2/tasks/test", "GET, DELETE"),
        ("DELETE", "/v1alpha2/runtimes", "GET"),
        ("GET", "/v1alpha2/uploads", "POST"),
        ("POST", "/openapi.json", "GET"),
    ],
)
def test_a_405_names_the_allowed_methods(
    shared_api: Client, method: str, path: str, allowed_methods: str
) -> None:
    answer = shared_api(method, path)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed_methods


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1alpha2/tasks/\x19ù"),
        ("DELETE", "/v1alpha2/tasks/日本"),
        ("POST", "/v1alpha2/tasks/\x03/webhook"),
        ("GET", "/v1alpha2/runtimes/日本"),
    ],
)
def test_a_name_of_unusual_characters_is_not_found_instead_of_a_method_that_is_not_allowed(
    shared_api: Client, method: str, path: str
) -> None:
    answer = shared_api(method, path)
    assert (answer.status, answer.code) == (404, "not_found")


class FailingDynamoDb:
    """A DynamoDB that fails with a text that must not be revealed."""

    def get_item(self, **_key: Any) -> Any:
        """Fail."""
        raise RuntimeError("SECRET-STATE")


def test_an_internal_error_is_a_500_with_an_id_and_without_details(
    deployment: Deployment, log: io.StringIO
) -> None:
    """The log contains the exception's type and place, but not its text."""
    answer = Client(deployment, dynamodb=FailingDynamoDb()).submit()
    assert answer.status == 500
    error = answer.body["error"]
    assert set(error) == {"code", "message", "details", "request_id"}
    assert (error["code"], error["details"]) == ("internal_error", [])
    logged = log.getvalue()
    [line] = [json.loads(text) for text in logged.splitlines()]
    assert line["request_id"] == error["request_id"]
    assert line["error_type"] == "RuntimeError"
    assert any("test_routes.py" in place for place in line["error_at"])
    assert "SECRET-STATE" not in logged + json.dumps(answer.body)


def test_the_log_contains_no_secret(deployment: Deployment, log: io.StringIO) -> None:
    """It contains the ids of tasks, but no key, body, header or presigned link."""
    sns = FakeSns(deployment.sns)
    api = Client(deployment, sns=sns)
    api.submit("good", content={"prompt": "SECRET-BODY"}, context="SECRET-BODY")
    api.submit("good", content={"prompt": "SECRET-BODY 2"})
    sns.failing_topics |= {deployment.environment.task_topic_arn, deployment.environment.result_topic_arn}
    api.submit("delayed", content={"prompt": "SECRET-BODY"})
    api("POST", "/v1alpha2", '{"SECRET-BODY": ')
    api("DELETE", "/v1alpha2/tasks/good")
    Worker(deployment).run("delayed")
    link = api("GET", "/v1alpha2/tasks/delayed").body["images"][0]["url"]
    upload = api("POST", "/v1alpha2/uploads").body["url"]
    logged = log.getvalue()
    for secret in (API_KEY, "SECRET-BODY", "x-api-key", "X-Amz-Signature", link, upload):
        assert secret not in logged
    lines = [json.loads(text) for text in logged.splitlines()]
    [accepted_line, _] = [line for line in lines if line["message"] == "accepted"]
    row = deployment.row("good")
    assert (accepted_line["task_id"], accepted_line["submission_id"], accepted_line["runtime"]) == (
        "good",
        row.submission_id,
        DYNAMIC,
    )


def test_runtimes_are_listed_with_the_counts_of_their_queues(api: Client, deployment: Deployment) -> None:
    api.submit("a")
    api.submit("b")
    deployment.sqs.receive_message(QueueUrl=deployment.queue(DYNAMIC), MaxNumberOfMessages=1)
    answer = api("GET", "/v1alpha2/runtimes")
    common = {"type": "sdwebui", "scripts": None, "workers": {"running": 0, "starting": 0}}
    assert answer.status == 200
    assert answer.body["runtimes"] == [
        common
        | {
            "name": STATIC,
            "model": "static.safetensors",
            "dynamic_model": False,
            "queued": 0,
            "in_flight": 0,
        },
        common | {"name": DYNAMIC, "model": CHECKPOINT, "dynamic_model": True, "queued": 1, "in_flight": 1},
    ]


@pytest.mark.parametrize(
    ("body", "suffix"),
    [
        (None, ""),
        ({}, ""),
        ({"content_type": "image/png"}, ".png"),
        ({"content_type": "image/jpeg"}, ".jpg"),
        ({"content_type": "video/mp4"}, ".mp4"),
        ({"content_type": "audio/x-wav"}, ".wav"),
    ],
)
def test_an_uploaded_file_is_at_the_announced_link(
    api: Client, deployment: Deployment, body: Any, suffix: str
) -> None:
    answer = api("POST", "/v1alpha2/uploads", body)
    assert (answer.status, answer.body["method"]) == (200, "POST")
    assert answer.body["s3"].endswith(suffix)
    assert _post(answer.body, b"image").is_success
    bucket, _, key = answer.body["s3"].removeprefix("s3://").partition("/")
    assert bucket == deployment.environment.upload_bucket
    stored_object = deployment.s3.get_object(Bucket=bucket, Key=key)
    assert stored_object["Body"].read() == b"image"
    if body:
        assert stored_object["ContentType"] == body["content_type"]


@pytest.mark.parametrize(
    ("content_type", "size"),
    [
        ("image/png", 0),
        ("image/png", MAX_UPLOAD_BYTES + 1),
        (None, MAX_UPLOAD_BYTES + 1),
        ("video/mp4", 0),
        ("video/mp4", DEFAULT_LIMITS.media_bytes + 1),
    ],
)
def test_s3_refuses_an_upload_that_no_task_could_use(
    api: Client, deployment: Deployment, content_type: str | None, size: int
) -> None:
    offered = api("POST", "/v1alpha2/uploads", {"content_type": content_type}).body
    assert _post(offered, b"x" * size).status_code == 400
    key = offered["s3"].removeprefix("s3://").partition("/")[2]
    listing = deployment.s3.list_objects_v2(Bucket=deployment.environment.upload_bucket, Prefix=key)
    assert listing["KeyCount"] == 0


def test_a_video_may_be_larger_than_an_image(api: Client) -> None:
    offered = api("POST", "/v1alpha2/uploads", {"content_type": "video/webm"}).body
    assert _post(offered, b"x" * (MAX_UPLOAD_BYTES + 1)).is_success


def test_s3_refuses_an_upload_that_differs_from_its_request(api: Client) -> None:
    offered = api("POST", "/v1alpha2/uploads", {"content_type": "image/png"}).body
    for field, other in (("Content-Type", "text/html"), ("key", "of/another.png")):
        changed_form = {**offered, "fields": offered["fields"] | {field: other}}
        assert _post(changed_form, b"image").status_code == 403, field


def _post(offered: dict[str, Any], data: bytes) -> httpx.Response:
    """Upload a file as the response describes."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.post(offered["url"], data=offered["fields"], files={"file": data})


def test_uploads_have_unique_names_that_cannot_be_guessed(shared_api: Client) -> None:
    links = {shared_api("POST", "/v1alpha2/uploads").body["s3"] for _ in range(20)}
    assert len(links) == 20


def test_a_bad_upload_request_names_its_errors(shared_api: Client) -> None:
    answer = shared_api("POST", "/v1alpha2/uploads", {"content_type": "text/html", "key": "../x"})
    assert answer.status == 400
    assert set(answer.faults) == {"/content_type", "/key"}


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("image/tiff", "TIFF is not read; save the picture as PNG"),
        ("image/heic", "HEIC is not read; save the picture as JPEG"),
        ("IMAGE/HEIF; x=y", "save the picture as JPEG"),
        ("image/jpg", "image/jpeg"),
        ("video/x-msvideo", "save the video as MP4"),
        ("audio/mp3", "audio/mpeg"),
    ],
)
def test_an_upload_that_no_task_could_use_is_refused_by_name(
    shared_api: Client, content_type: str, says: str
) -> None:
    answer = shared_api("POST", "/v1alpha2/uploads", {"content_type": content_type})
    assert (answer.status, answer.faults) == (400, ["/content_type"])
    [fault] = answer.body["error"]["details"]
    assert says in fault["message"]
    assert "one of image/png, image/jpeg" in fault["message"]
