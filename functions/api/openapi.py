"""The OpenAPI 3.1 document of the API, with the limits and runtimes of the deployment."""

from typing import Any, Final

from adapters.presigned import LINK_SECONDS
from domain import limits
from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtimes
from domain.row import Status
from functions.api import v1alpha1_schema
from functions.api.catalogue import DEFAULT_LIMIT as DEFAULT_MODELS
from functions.api.catalogue import MAX_LIMIT as MAX_MODELS
from functions.api.links import MAX_UPLOAD_BYTES
from functions.api.listing import DEFAULT_LIMIT, MAX_LIMIT
from functions.api.operations import ETAG_HEADER, Operation, common_errors, operation, parameter
from functions.api.output_schemas import OUTPUT_SCHEMAS
from functions.api.runtime_schemas import runtime_schemas
from functions.api.schemas import ID, components
from functions.api.waiting import DEFAULT_SECONDS, MAX_SECONDS
from functions.api.webhook_schemas import WEBHOOK_SCHEMAS
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes

_MODEL_TEXT: Operation = {
    "type": "string",
    "minLength": 1,
    "maxLength": limits.MAX_NAME_LENGTH,
    "description": "A part of the names that are wanted, in any case.",
}


_CURSOR: Final = {"type": "string", "minLength": 1, "description": "The `cursor` of the previous page."}


def document(
    base_url: str,
    runtimes: Runtimes,
    allowed: Limits = DEFAULT_LIMITS,
    types: RuntimeTypes = RUNTIME_TYPES,
) -> dict[str, Any]:
    """Return the document; `base_url` is the URL of this API and `allowed` are the limits of a task."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "sd-on-ecs", "version": "v1alpha2", "description": _description(allowed)},
        "servers": [{"url": base_url}],
        "security": [{"apiKey": []}],
        "paths": _paths(runtimes, allowed, types),
        "components": {
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": components(runtimes, allowed, types)
            | OUTPUT_SCHEMAS
            | WEBHOOK_SCHEMAS
            | runtime_schemas([types[name] for name in {runtime.type: None for runtime in runtimes}])
            | {
                "SubmitV1Alpha1": v1alpha1_schema.REQUEST,
                "SubmittedV1Alpha1": v1alpha1_schema.RESPONSE,
            },
        },
    }


def _description(allowed: Limits) -> str:
    return (
        "Asynchronous image generation with SD Web UI and ComfyUI. An accepted task waits in its runtime's "
        "queue and "
        "ends with exactly one outcome, which is sent to the results topic.\n\n"
        "A deployment is a single trust domain: everyone with its API key can list, read and cancel every "
        "task, download and delete every output, reuse the id of a finished task and any prefix, and use as "
        "input any object that the workers can read: in the output bucket, the upload bucket and the "
        "configured input "
        "buckets.\n\n"
        f"A request's body has at most {allowed.body_bytes} bytes (upload larger images and send links) and "
        f"{allowed.nesting} nesting levels. A task generates at most {allowed.images} images, each with at "
        f"most {allowed.pixels} sampled pixels, {allowed.upscaled_pixels} pixels after upscaling, and "
        f"{allowed.steps} steps. Its inputs are at most {allowed.links} links and {allowed.images} images "
        f"with {allowed.input_bytes} bytes and {allowed.input_pixels} pixels in total; a workflow "
        f"also takes videos and sounds of {allowed.media_bytes} bytes each, the videos with "
        f"{allowed.video_pixels} pixels in all frames, and makes videos of at most {allowed.frames} frames. "
        "A prompt has at most "
        f"{allowed.prompt_characters} characters. Steps × pixels × images of a task, including hires fix and "
        f"known scripts, are at most {allowed.work}. Also refused are settings that affect more than the "
        "task's own images, paths on the worker, scripts that bypass these limits, and scripts that the "
        "runtime does not list. Each error names the field.\n\n"
        f"A task fails if no worker finishes it within {limits.QUEUE_RETENTION_DAYS} days. A retryable error "
        f"fails it after {limits.MAX_ATTEMPTS} attempts. A finished task can be read for {limits.ROW_DAYS} "
        "days."
    )


def _paths(runtimes: Runtimes, allowed: Limits, types: RuntimeTypes) -> dict[str, Any]:
    id_parameter = {"name": "id", "in": "path", "required": True, "schema": ID}
    return {
        "/v1alpha2": {"post": _submit("v1alpha2", "V1Alpha2")},
        "/v1alpha1": {"post": _submit("v1alpha1", "V1Alpha1")},
        "/v1alpha2/tasks": {"get": _list(runtimes)},
        "/v1alpha2/tasks/{id}": {
            "parameters": [id_parameter],
            "get": operation(
                "getTask",
                "Read a task",
                {200: ("The task", "Task")},
                404,
                409,
                headers=ETAG_HEADER,
                description=f"Every response has new links to its objects, valid for {LINK_SECONDS} seconds.",
            ),
            "delete": operation(
                "cancelTask",
                "Cancel a task",
                {
                    200: ("The task was queued and is cancelled", "Task"),
                    202: ("The task is running; its worker was asked to stop", "Task"),
                },
                404,
                409,
            ),
        },
        "/v1alpha2/tasks/{id}/wait": {"parameters": [id_parameter], "get": _wait()},
        "/v1alpha2/tasks/{id}/outputs": {
            "parameters": [id_parameter],
            "delete": operation(
                "deleteOutputs",
                "Delete the images and the output document of a finished task",
                {200: ("The task, without links", "Task")},
                404,
                409,
                description="Safe to repeat. The task itself can still be read.",
            ),
        },
        "/v1alpha2/tasks/{id}/webhook": {
            "parameters": [id_parameter],
            "post": operation(
                "resendWebhook",
                "Send the webhook of a finished task again",
                {202: ("The task; its final event is sent again within seconds", "Task")},
                404,
                409,
            ),
        },
        "/v1alpha2/runtimes": {
            "get": operation(
                "listRuntimes", "List the runtimes", {200: ("All runtimes of this deployment", "RuntimeList")}
            ),
        },
        "/v1alpha2/runtimes/{name}": {
            "parameters": [
                {
                    "name": "name",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "enum": runtimes.names},
                }
            ],
            "get": _describe_runtime(runtimes, types),
        },
        "/v1alpha2/uploads": {
            "post": operation(
                "createUpload",
                "Get a form for uploading an input file",
                {200: ("The form's URL and fields, and the link to use in a task", "Upload")},
                400,
                413,
                415,
                body="UploadRequest",
                body_required=False,
                description=(
                    f"The form is valid for {LINK_SECONDS} seconds and accepts one image of at most "
                    f"{MAX_UPLOAD_BYTES} bytes or, if `content_type` names one, a video or sound of at most "
                    f"{allowed.media_bytes}: `curl -F NAME=VALUE … -F file=@cat.png URL`."
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
                    **common_errors(),
                },
            },
        },
    }


def _submit(version: str, name: str) -> Operation:
    return operation(
        f"submit{name}",
        f"Submit a task ({version})",
        {200: ("Accepted, by this request or an earlier one", f"Submitted{name}")},
        400,
        409,
        413,
        415,
        body=f"Submit{name}",
        description=(
            "Safe to retry: the same request with the same id returns the existing task while it is queued "
            f"or running and for {limits.RESUBMIT_SECONDS} seconds after it finished. A different request "
            "with the id of an active task is refused (409); after the task has finished, its id can be used "
            "again."
        ),
    )


def _wait() -> Operation:
    found = operation(
        "waitForTask",
        "Wait until a task has ended or changed",
        {200: ("The task, when it has ended or after the given time", "Task")},
        400,
        404,
        409,
        headers=ETAG_HEADER,
        description=(
            "With the header `If-None-Match` and the `ETag` of an earlier response, it answers as soon as "
            "state or progress differ from what that response said, or with 304 after the given time. "
            "`*` matches every state."
        ),
    )
    seconds = {"type": "integer", "minimum": 1, "maximum": MAX_SECONDS, "default": DEFAULT_SECONDS}
    tag = {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}
    found["parameters"] = [parameter("seconds", seconds), tag]
    found["responses"]["304"] = {"description": "Nothing has changed", "headers": ETAG_HEADER}
    return found


def _list(runtimes: Runtimes) -> Operation:
    found = operation("listTasks", "List tasks, newest first", {200: ("One page", "TaskList")}, 400)
    found["description"] = "Eventually consistent: a change may take a moment to appear."
    found["parameters"] = [
        parameter("status", {"type": "string", "enum": [status.value for status in Status]}),
        parameter("runtime", {"type": "string", "enum": runtimes.names}),
        parameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
        parameter("cursor", _CURSOR),
    ]
    return found


def _describe_runtime(runtimes: Runtimes, types: RuntimeTypes) -> Operation:
    found = operation(
        "getRuntime",
        "Read a runtime, with its models and what its engine lists",
        {200: ("The runtime and a page of its models", "RuntimeDetails")},
        400,
        404,
        description=(
            "The models are the files in the model bucket, so no GPU has to run. `engine` is what the last "
            "worker that was ready has reported."
        ),
    )
    kinds = dict.fromkeys(kind for runtime in runtimes for kind in types[runtime.type].model_kinds)
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_MODELS, "default": DEFAULT_MODELS}
    found["parameters"] = [
        parameter("kind", {"type": "string", "enum": list(kinds)}),
        parameter("q", _MODEL_TEXT),
        parameter("limit", limit),
        parameter("cursor", _CURSOR),
    ]
    return found
