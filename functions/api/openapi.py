"""The OpenAPI 3.1 document of the API, with the limits and runtimes of the deployment."""

from typing import Any

from domain import limits
from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtimes
from domain.row import Status
from functions.api import v1alpha1_schema
from functions.api.links import LINK_SECONDS, MAX_UPLOAD_BYTES
from functions.api.listing import DEFAULT_LIMIT, MAX_LIMIT
from functions.api.schemas import ID, components, ref
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes

Operation = dict[str, Any]


def document(
    base_url: str,
    runtimes: Runtimes,
    allowed: Limits = DEFAULT_LIMITS,
    types: RuntimeTypes = RUNTIME_TYPES,
) -> dict[str, Any]:
    """Return the document; `base_url` is the URL of this API, `allowed` the limits of a task."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "sd-on-ecs", "version": "v1alpha2", "description": _about(allowed)},
        "servers": [{"url": base_url}],
        "security": [{"apiKey": []}],
        "paths": _paths(runtimes),
        "components": {
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": components(runtimes, allowed, types) | {"SubmitV1Alpha1": v1alpha1_schema.REQUEST},
        },
    }


def _about(allowed: Limits) -> str:
    return (
        "Asynchronous image generation with SD Web UI. A task is accepted, waits in its runtime's queue, "
        "and ends in exactly one outcome, sent to the results topic.\n\n"
        "One deployment is one trust domain: whoever has its API key can list, read and cancel every task, "
        "get every output, use a finished task's id and any prefix again, and have any object read that the "
        "workers may read: of the output bucket, the uploads and the configured input buckets.\n\n"
        f"A body has at most {allowed.body_bytes} bytes (upload larger images and send the link) and "
        f"{allowed.nesting} levels. A task makes at most {allowed.images} images of at most "
        f"{allowed.pixels} pixels as they are sampled and {allowed.upscaled_pixels} behind an upscaler, in "
        f"at most {allowed.steps} steps, from at most {allowed.links} links and {allowed.images} images, "
        f"of {allowed.input_bytes} bytes together; a prompt has at most {allowed.prompt_characters} "
        "characters. Steps × pixels × images of a task, "
        f"hires fix and known scripts included, are at most {allowed.work}. Refused, by path, are settings "
        "beyond those that shape a task's own images, paths on the worker, and scripts that go around these "
        "limits or that the runtime does not list.\n\nA task that no worker took in "
        f"{limits.QUEUE_RETENTION_DAYS} days fails; a passing error is tried {limits.MAX_ATTEMPTS} times; "
        f"what became of a task is known for {limits.ROW_DAYS} days."
    )


def _paths(runtimes: Runtimes) -> dict[str, Any]:
    one = {"name": "id", "in": "path", "required": True, "schema": ID}
    return {
        "/v1alpha2": {"post": _submit("v1alpha2", "V1Alpha2")},
        "/v1alpha1": {"post": _submit("v1alpha1", "V1Alpha1")},
        "/v1alpha2/tasks": {"get": _list(runtimes)},
        "/v1alpha2/tasks/{id}": {
            "parameters": [one],
            "get": _operation(
                "getTask",
                "Read a task",
                {200: ("The task", "Task")},
                404,
                409,
                about=f"Links to its objects are made at each reading and last {LINK_SECONDS} seconds.",
            ),
            "delete": _operation(
                "cancelTask",
                "Cancel a task",
                {
                    200: ("It was queued and is cancelled", "Task"),
                    202: ("It runs; its worker was asked to stop", "Task"),
                },
                404,
                409,
            ),
        },
        "/v1alpha2/runtimes": {
            "get": _operation(
                "listRuntimes", "List the runtimes", {200: ("All of this deployment", "RuntimeList")}
            ),
        },
        "/v1alpha2/uploads": {
            "post": _operation(
                "createUpload",
                "Get a form to upload an input image with",
                {200: ("Where to POST it with which fields, and the link to use in a task", "Upload")},
                400,
                413,
                415,
                body="UploadRequest",
                body_required=False,
                about=(
                    f"The form lasts {LINK_SECONDS} seconds and takes one file of at most {MAX_UPLOAD_BYTES} "
                    "bytes: `curl -F NAME=VALUE … -F file=@cat.png URL`."
                ),
            ),
        },
        "/openapi.json": {
            "get": {
                "operationId": "describe",
                "summary": "Read this document",
                "responses": {
                    "200": {
                        "description": "This document",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    "default": _refusal("Any refusal"),
                },
            },
        },
    }


def _submit(version: str, name: str) -> Operation:
    return _operation(
        f"submit{name}",
        f"Submit a task ({version})",
        {200: ("Accepted, now or before", f"Submitted{name}")},
        400,
        409,
        413,
        415,
        body=f"Submit{name}",
        about=(
            "May be retried blindly: the same id with the same request is answered from the task there is "
            f"while it is queued or running and for {limits.RESUBMIT_SECONDS} seconds after it finished. "
            "Another request under the id of an active task is refused (409); later, an id may be used again."
        ),
    )


def _list(runtimes: Runtimes) -> Operation:
    operation = _operation("listTasks", "List tasks, newest first", {200: ("One page", "TaskList")}, 400)
    operation["description"] = "Eventually consistent: a change may take a moment to show."
    operation["parameters"] = [
        _parameter("status", {"type": "string", "enum": [status.value for status in Status]}),
        _parameter("runtime", {"type": "string", "enum": runtimes.names}),
        _parameter(
            "limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        ),
        _parameter("cursor", {"type": "string", "description": "The `cursor` of the page before."}),
    ]
    return operation


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


_REFUSALS = {
    400: "The request has faults: all of them are named",
    404: "There is no such task, or none any more",
    409: "The task's state does not allow it",
    413: "The body is too large",
    415: "The body is not application/json",
}


def _operation(
    name: str,
    summary: str,
    answers: dict[int, tuple[str, str]],
    *refusals: int,
    body: str | None = None,
    body_required: bool = True,
    about: str | None = None,
) -> Operation:
    responses = {
        str(status): {"description": text, "content": {"application/json": {"schema": ref(schema)}}}
        for status, (text, schema) in answers.items()
    }
    responses |= {str(status): _refusal(_REFUSALS[status]) for status in refusals}
    responses["403"] = _refusal("The API key is missing or unknown")
    responses["429"] = _refusal("More requests than the usage plan allows")
    responses["default"] = _refusal("A fault of ours, with the request's id")
    operation: Operation = {"operationId": name, "summary": summary, "responses": responses}
    if about:
        operation["description"] = about
    if body:
        operation["requestBody"] = {
            "required": body_required,
            "content": {"application/json": {"schema": ref(body)}},
        }
    return operation


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": ref("Error")}}}
