"""The API refuses bad input with all errors at once, and creates no task."""

import json
from typing import Any

import pytest

from local.pipeline import Pipeline
from tests.support import bodies


def _refused(answer: Any, status: int, code: str) -> list[dict[str, str]]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    details: list[dict[str, str]] = error["details"]
    return details


@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2"])
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"not json", b"[1]", b'"text"', b'{"task": NaN}', b"\xff\xfe{}", b'{"a": 1, "a": 2}'],
    ids=["empty", "cut", "words", "array", "text", "NaN", "not-UTF-8", "a-key-twice"],
)
def test_a_body_that_is_no_json_object_is_a_400(pipeline: Pipeline, version: str, content: bytes) -> None:
    assert pipeline.call("POST", f"/{version}", content=content).status_code == 400


def test_comments_in_json_get_a_hint(pipeline: Pipeline) -> None:
    """The documentation of AWS's Guidance shows requests with comments."""
    details = _refused(
        pipeline.call("POST", "/v1alpha2", content=b'{\n  "task": {} // the task\n}'), 400, "invalid_json"
    )
    assert "comments" in details[0]["message"]
    assert "line 2" in details[0]["message"]


def test_a_content_type_other_than_json_is_refused(pipeline: Pipeline, task_id: str) -> None:
    body = json.dumps(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image())).encode()
    answer = pipeline.call("POST", "/v1alpha2", content=body, headers={"content-type": "text/plain"})
    _refused(answer, 415, "unsupported_media_type")
    assert pipeline.row(task_id) is None


@pytest.mark.parametrize("headers", [{"x-api-key": "wrong"}, {"x-api-key": ""}], ids=["wrong", "none"])
def test_a_request_without_an_api_key_is_refused_in_the_same_form(
    pipeline: Pipeline, headers: dict[str, str]
) -> None:
    _refused(pipeline.call("POST", "/v1alpha2", content=b"{}", headers=headers), 403, "forbidden")


def test_all_errors_of_the_metadata_are_named_at_once(pipeline: Pipeline) -> None:
    metadata = {"id": "../x", "runtime": "nope", "tasktype": "paint", "prefix": "a/../b"}
    details = _refused(
        pipeline.submit({"task": {"metadata": metadata, "content": bodies.text_to_image()}}),
        400,
        "invalid_task",
    )
    paths = {detail["path"] for detail in details}
    assert paths == {f"/task/metadata/{name}" for name in metadata}
    assert "sdruntime" in next(detail["message"] for detail in details if detail["path"].endswith("/runtime"))


def test_wrong_types_in_known_fields_are_refused(pipeline: Pipeline, task_id: str) -> None:
    content = bodies.text_to_image(steps="many", width=[64], batch_size={}) | {"prompt": 5}
    details = _refused(
        pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", content)), 400, "invalid_task"
    )
    paths = {detail["path"] for detail in details}
    assert paths == {f"/task/content/{name}" for name in ("steps", "width", "prompt", "batch_size")}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": "a/b"}, "/task/metadata/id"),
        ({"id": "a\nb"}, "/task/metadata/id"),
        ({"id": ""}, "/task/metadata/id"),
        ({"id": "a" * 129}, "/task/metadata/id"),
        ({"prefix": "a/../b"}, "/task/metadata/prefix"),
        ({"prefix": "a\x00b"}, "/task/metadata/prefix"),
        ({"prefix": "/"}, "/task/metadata/prefix"),
        ({"prefix": "a//b"}, "/task/metadata/prefix"),
        ({"prefix": "é" * 600}, "/task/metadata/prefix"),
        ({"tasktype": "text-to-video"}, "/task/metadata/tasktype"),
    ],
)
def test_each_error_points_to_its_field(
    pipeline: Pipeline, task_id: str, change: dict[str, str], path: str
) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(), **change)
    details = _refused(pipeline.submit(body), 400, "invalid_task")
    assert {detail["path"] for detail in details} == {path}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"task": None},
        {"task": {"content": {}}},
        {"task": {"metadata": {}}},
        {"metadata": {}, "content": {}},
        {"task": {"metadata": [], "content": []}},
        {"alwayson_scripts": {"task": "text-to-image", "id_task": "x"}, "prompt": "v1alpha1 at v1alpha2"},
    ],
)
def test_missing_and_wrong_wrappers_are_named(pipeline: Pipeline, body: Any) -> None:
    assert _refused(pipeline.submit(body), 400, "invalid_task")


def test_fields_beside_the_task_are_ignored_with_a_warning(pipeline: Pipeline, task_id: str) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image()) | {"more": 1}
    answer = pipeline.submit(body)
    assert answer.status_code == 200
    assert {warning["path"] for warning in answer.json()["warnings"]} == {"/more"}


def test_a_request_without_a_model_gets_a_list_of_models(pipeline: Pipeline, task_id: str) -> None:
    body = bodies.v1alpha1(task_id, "text-to-image", bodies.text_to_image(), sd_model_checkpoint="")
    answer = pipeline.submit(body, "v1alpha1")
    assert answer.status_code == 400
    assert "/alwayson_scripts/sd_model_checkpoint" in answer.text


def test_a_v1alpha1_request_without_its_metadata_is_refused(pipeline: Pipeline) -> None:
    answer = pipeline.submit({"prompt": "a cat", "alwayson_scripts": {}}, "v1alpha1")
    paths = {detail["path"] for detail in _refused(answer, 400, "invalid_task")}
    assert paths == {f"/alwayson_scripts/{name}" for name in ("task", "id_task", "sd_model_checkpoint")}


def test_image_to_image_without_an_image_is_refused(pipeline: Pipeline, task_id: str) -> None:
    answer = pipeline.submit(bodies.v1alpha1(task_id, "image-to-image", bodies.text_to_image()), "v1alpha1")
    assert _refused(answer, 400, "invalid_task")
    assert pipeline.row(task_id) is None


def test_a_body_over_the_limit_is_refused(pipeline: Pipeline) -> None:
    answer = pipeline.call("POST", "/v1alpha2", content=b"[" + b" " * 7 * 1024 * 1024 + b"]")
    _refused(answer, 413, "too_large")
