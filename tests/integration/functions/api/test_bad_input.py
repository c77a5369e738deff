"""Bad requests get a 4xx with all errors at once, and leave nothing behind."""

import json
from typing import Any

import pytest

from domain.limits import MAX_BODY_BYTES, MAX_CONTEXT_BYTES, MAX_NESTING
from tests.support.api_client import Client, guidance_v1alpha1, task
from tests.support.deployment import CHECKPOINT, DYNAMIC, STATIC, Deployment

META = "/task/metadata"
CONTENT = "/task/content"


def test_all_errors_of_a_v1alpha2_request_are_reported_and_nothing_is_written(
    api: Client, deployment: Deployment
) -> None:
    body = task(
        "../x",
        runtime="nope",
        tasktype="dream",
        prefix="a//../\x01",
        context="x" * (MAX_CONTEXT_BYTES + 1),
        content={"alwayson_scripts": {"a/b": 1}},
    )
    answer = api("POST", "/v1alpha2", body)
    assert (answer.status, answer.code) == (400, "invalid_task")
    assert set(answer.faults) == {
        f"{META}/id",
        f"{META}/runtime",
        f"{META}/tasktype",
        f"{META}/prefix",
        f"{META}/context",
        f"{CONTENT}/alwayson_scripts/a~1b",
    }
    assert deployment.dynamodb.scan(TableName=deployment.environment.task_table)["Count"] == 0
    assert deployment.messages() == []


def test_each_known_field_of_a_wrong_type_is_named(shared_api: Client) -> None:
    content = {
        "prompt": 7,
        "steps": "many",
        "width": 1.5,
        "n_iter": 0,
        "seed": 2**70,
        "styles": ["a", 1],
        "tiling": "perhaps",
        "override_settings": {"outdir_samples": "/etc"},
        "unknown_to_us": {"any": "thing"},
    }
    answer = shared_api.submit(content=content)
    assert answer.status == 400
    assert set(answer.faults) == {
        *(f"{CONTENT}/{name}" for name in ("prompt", "steps", "width", "n_iter", "seed", "styles", "tiling")),
        f"{CONTENT}/override_settings/outdir_samples",
    }


def test_all_errors_of_a_v1alpha1_request_are_reported_at_once(shared_api: Client) -> None:
    body = guidance_v1alpha1("")
    body["alwayson_scripts"] |= {"task": "", "save_dir": "x/..", "sd_model_checkpoint": "", "uid": []}
    body["alwayson_scripts"]["image_link"] = 7
    answer = shared_api("POST", "/v1alpha1", body)
    assert answer.status == 400
    names = ("id_task", "task", "save_dir", "sd_model_checkpoint", "uid", "image_link")
    assert set(answer.faults) == {f"/alwayson_scripts/{name}" for name in names}


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("", "empty"),
        ("{", ""),
        ("not json", ""),
        ("[]", "object"),
        ('"text"', "object"),
        ('{"task": NaN}', "NaN"),
        ('{"task": {"metadata": {"id": "a" // an id\n}}}', "comments are not part of JSON"),
        ('{"task": {} /* nothing */}', "comments are not part of JSON"),
        ("// a request\n{}", "comments are not part of JSON"),
        ('{"a": 1,}', "comma"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": "\ud800"}', "UTF-8"),
        ("[" * 100_000, "nested"),
    ],
)
@pytest.mark.parametrize("path", ["/v1alpha1", "/v1alpha2"])
def test_a_body_that_is_not_json_is_refused_with_a_hint(
    shared_api: Client, path: str, body: str, hint: str
) -> None:
    answer = shared_api("POST", path, body)
    assert (answer.status, answer.code) == (400, "invalid_json")
    assert hint in json.dumps(answer.body, ensure_ascii=False)


def test_bytes_that_are_not_utf8_are_refused(shared_api: Client) -> None:
    """API Gateway passes such a body in base64."""
    answer = shared_api("POST", "/v1alpha2", b'{"a": "\xff"}')
    assert (answer.status, answer.code) == (400, "invalid_json")


def test_nesting_is_limited(shared_api: Client) -> None:
    deep: Any = 1
    for _ in range(MAX_NESTING + 1):
        deep = [deep]
    answer = shared_api.submit(context=deep)
    assert answer.status == 400
    assert "deep" in json.dumps(answer.body)


def test_a_body_over_the_limit_is_refused_with_an_alternative(shared_api: Client) -> None:
    answer = shared_api("POST", "/v1alpha2", " " * MAX_BODY_BYTES + "{}")
    assert (answer.status, answer.code) == (413, "too_large")
    assert "links" in answer.body["error"]["message"]


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]
)
def test_only_the_content_type_json_is_accepted(shared_api: Client, content_type: str | None) -> None:
    """Without a header, `curl -d` sends the type of a form."""
    answer = shared_api("POST", "/v1alpha2", task(), content_type=content_type)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x"]
)
def test_parameters_and_case_of_the_content_type_are_ignored(shared_api: Client, content_type: str) -> None:
    assert shared_api("POST", "/v1alpha2", task(), content_type=content_type).status == 200


def test_a_body_in_base64_is_decoded(api: Client, deployment: Deployment) -> None:
    """API Gateway encodes bodies of binary types."""
    assert api("POST", "/v1alpha2", task(context="é"), as_base64=True).status == 200
    assert deployment.row("test").item["context"] == "é"


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, ["/task"]),
        ({"metadata": {}, "content": {}}, ["/task"]),
        ({"task": []}, ["/task"]),
        ({"task": {}}, ["/task"]),
        ({"task": task()}, ["/task/metadata", "/task/content"]),
        ({"task": {"metadata": task()["task"]["metadata"]}}, [f"{CONTENT}"]),
    ],
)
def test_a_missing_wrapper_is_named_with_the_expected_form(
    shared_api: Client, body: dict[str, Any], faults: list[str]
) -> None:
    answer = shared_api("POST", "/v1alpha2", body)
    assert answer.status == 400
    assert answer.faults[0].startswith(faults[0])
    assert set(faults) <= set(answer.faults) or faults == ["/task"]


def test_a_v1alpha2_request_at_the_wrong_path_gets_a_hint(shared_api: Client) -> None:
    answer = shared_api("POST", "/v1alpha1", task())
    assert answer.status == 400
    assert "/v1alpha2" in json.dumps(answer.body)


@pytest.mark.parametrize("task_id", ["..", ".a", "a/b", "a b", "", "a" * 129, "a\n", "ä", 7, None])
def test_bad_ids_are_refused(shared_api: Client, task_id: Any) -> None:
    """An id is a part of object keys and of paths."""
    answer = shared_api("POST", "/v1alpha2", task(task_id))
    assert (answer.status, answer.faults) == (400, [f"{META}/id"])


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "/", "/a//b", "a/../b", "..", ".", "a\x7f", "a\x00b", "a" * 1020, None, 7),
        *("a/%2e%2E/b", "a%2fb", "a\\b", "a\u202eb", "a\u2028b", "a\u200bb", "a\ufeff"),
    ],
)
def test_bad_prefixes_are_refused(shared_api: Client, prefix: Any) -> None:
    answer = shared_api.submit(prefix=prefix)
    assert answer.status == 400
    assert set(answer.faults) == {f"{META}/prefix"}


def test_the_error_for_an_unknown_runtime_or_model_lists_those_that_exist(shared_api: Client) -> None:
    answer = shared_api.submit(runtime="nope")
    assert (answer.status, answer.code) == (400, "unknown_runtime")
    assert DYNAMIC in answer.body["error"]["details"][0]["message"]
    assert STATIC in answer.body["error"]["details"][0]["message"]
    other = shared_api.submit(
        runtime=STATIC, content={"alwayson_scripts": {"sd_model_checkpoint": CHECKPOINT}}
    )
    assert (other.status, other.code) == (400, "unknown_model")


def test_a_prompt_that_begins_with_http_is_not_changed(api: Client, deployment: Deployment) -> None:
    assert api.submit(content={"prompt": "http://example.org/cat.png"}).status == 200
    assert deployment.messages()[0]["content"]["prompt"] == "http://example.org/cat.png"
