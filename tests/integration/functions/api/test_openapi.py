"""The OpenAPI document is valid, complete, and describes the real responses."""

import json
import re
from dataclasses import asdict
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from domain import limits
from domain.api_routes import METHODS
from domain.protocol import finish
from domain.row import Status
from tests.support.api_client import Answer, Client, guidance_v1alpha1, task
from tests.support.clock import FakeClock
from tests.support.deployment import DYNAMIC, STATIC, Deployment
from tests.support.failing_aws import FakeSns
from tests.support.worker import Worker


@pytest.fixture(scope="session")
def document(shared_api: Client) -> dict[str, Any]:
    """Return the document as the API returns it."""
    answer = shared_api("GET", "/openapi.json")
    assert answer.status == 200
    return dict(answer.body)


def check_response(document: dict[str, Any], method: str, path: str, answer: Answer) -> None:
    """Validate a response by its schema in the document."""
    responses = document["paths"][path][method.lower()]["responses"]
    schema = responses.get(str(answer.status), responses["default"])
    _check(document, schema["content"]["application/json"]["schema"], answer.body)


def _check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    registry = Registry().with_resource("urn:api", DRAFT202012.create_resource(document))
    # References within the document are made absolute: the schema is checked outside of it.
    text = json.dumps(schema).replace('"#/', '"urn:api#/')
    Draft202012Validator(json.loads(text), registry=registry, format_checker=FormatChecker()).validate(value)


def test_the_document_and_its_schemas_are_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_names_the_answers_of_api_gateway(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in (item[name] for name in item if name != "parameters"):
            assert {"403", "429", "default"} <= set(operation["responses"])


def test_exactly_the_routes_are_described(document: dict[str, Any]) -> None:
    described = {
        path: {method.upper() for method in item if method != "parameters"}
        for path, item in document["paths"].items()
    }
    assert described == {path: set(methods) for path, methods in METHODS.items()}


def test_the_limits_and_runtimes_of_the_deployment_are_shown(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    numbers = set(re.findall(r"\d+", text))
    for limit in (
        limits.MAX_BODY_BYTES,
        limits.MAX_CONTEXT_BYTES,
        limits.MAX_NESTING,
        limits.MAX_ID_LENGTH,
        limits.MAX_KEY_BYTES,
        *asdict(limits.DEFAULT_LIMITS).values(),
        limits.MAX_ATTEMPTS,
        limits.QUEUE_RETENTION_DAYS,
        limits.ROW_DAYS,
        limits.RESUBMIT_SECONDS,
    ):
        assert str(limit) in numbers
    metadata = document["components"]["schemas"]["SubmitV1Alpha2"]["properties"]["task"]["properties"][
        "metadata"
    ]
    assert metadata["properties"]["runtime"]["enum"] == [STATIC, DYNAMIC]
    assert document["servers"] == [{"url": "https://abc.execute-api.us-east-1.amazonaws.com/prod"}]


def test_the_guidances_requests_are_valid(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    _check(document, schemas["SubmitV1Alpha1"], guidance_v1alpha1())
    _check(document, schemas["SubmitV1Alpha2"], task("a", tasktype="image-to-image", context=""))


def test_real_responses_are_valid(document: dict[str, Any], deployment: Deployment) -> None:
    sns = FakeSns(deployment.sns)
    api = Client(deployment, sns=sns)
    worker = Worker(deployment)

    def call(method: str, path: str, *args: Any, expect: int, at: str | None = None, **options: Any) -> None:
        answer = api(method, path, *args, **options)
        assert answer.status == expect
        check_response(document, method, at or path, answer)

    path = "/v1alpha2/tasks/{id}"
    call("POST", "/v1alpha2", task("queued", content={"prompt": "x", "save_images": True}), expect=200)
    call("POST", "/v1alpha2", task("queued"), expect=409)
    call("POST", "/v1alpha2", task("..", runtime="nope"), expect=400)
    call("POST", "/v1alpha2", "{", expect=400)
    call("POST", "/v1alpha2", " " * (limits.MAX_BODY_BYTES + 1), expect=413)
    call("POST", "/v1alpha2", "{}", content_type="text/plain", expect=415)
    call("POST", "/v1alpha1", guidance_v1alpha1("running"), expect=200)
    call("POST", "/v1alpha1", {}, expect=400)
    for name in ("completed", "failed"):
        call("POST", "/v1alpha2", task(name, context=[1, {"a": None}]), expect=200)
    worker.start("running")
    worker.run("completed")
    error = {"code": "engine_error", "message": "It broke."}
    change = finish(
        worker.start("failed"), Status.FAILED, now=FakeClock()(), output="s3://b/k/k.out", error=error
    )
    assert deployment.table.write("failed", change).done
    for name in ("queued", "running", "completed", "failed"):
        call("GET", f"/v1alpha2/tasks/{name}", at=path, expect=200)
    call("GET", "/v1alpha2/tasks", expect=200)
    call("GET", "/v1alpha2/tasks", query={"limit": "1"}, expect=200)
    call("GET", "/v1alpha2/tasks", query={"limit": "x"}, expect=400)
    call("GET", "/v1alpha2/tasks/nope", at=path, expect=404)
    call("DELETE", "/v1alpha2/tasks/nope", at=path, expect=404)
    call("DELETE", "/v1alpha2/tasks/queued", at=path, expect=200)
    call("DELETE", "/v1alpha2/tasks/running", at=path, expect=202)
    call("DELETE", "/v1alpha2/tasks/completed", at=path, expect=409)
    call("DELETE", "/v1alpha2/tasks/completed/outputs", at=f"{path}/outputs", expect=200)
    call("DELETE", "/v1alpha2/tasks/running/outputs", at=f"{path}/outputs", expect=409)
    call("DELETE", "/v1alpha2/tasks/nope/outputs", at=f"{path}/outputs", expect=404)
    call("GET", "/v1alpha2/runtimes", expect=200)
    call("POST", "/v1alpha2/uploads", expect=200)
    call("POST", "/v1alpha2/uploads", {"content_type": "image/png"}, expect=200)
    call("POST", "/v1alpha2/uploads", {"content_type": "text/html"}, expect=400)
    sns.failing_topics = {deployment.environment.task_topic_arn}
    call("POST", "/v1alpha2", task("delayed"), expect=200)
    broken = Client(deployment, sqs=object())("GET", "/v1alpha2/runtimes")
    assert broken.status == 500
    check_response(document, "GET", "/v1alpha2/runtimes", broken)


def test_an_invalid_response_is_detected(document: dict[str, Any], shared_api: Client) -> None:
    answer = shared_api("GET", "/v1alpha2/runtimes")
    answer.body["runtimes"][0]["surprise"] = 1
    with pytest.raises(Exception, match="surprise"):
        check_response(document, "GET", "/v1alpha2/runtimes", answer)
