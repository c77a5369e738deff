"""JSON Schemas (2020-12) of requests and responses, for the OpenAPI document."""

from typing import Any, Final

from domain import limits
from domain.errors import ErrorCode
from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtimes
from domain.row import Status
from functions.api.links import UPLOAD_TYPES
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes

Schema = dict[str, Any]

TIME: Final[Schema] = {"type": "string", "format": "date-time", "examples": ["2026-11-22T17:02:34.123Z"]}
S3_LINK: Final[Schema] = {"type": "string", "pattern": "^s3://[^/]+/.+"}
ID: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": limits.MAX_ID_LENGTH,
    "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$",
    "description": "The caller's own name for the task. A finished task's id may be used again.",
}
GROUP: Final[Schema] = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": limits.MAX_GROUP_LENGTH,
    "pattern": "^[!-~]+$",
    "description": (
        "Tasks of different groups share the GPUs fairly: one with many tasks delays the others less. By "
        "default, the tasks of each API key are a group."
    ),
}
PREFIX: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "description": (
        "The beginning of the output's S3 keys. Not allowed are empty, `.` and `..` segments, control "
        "characters, text direction marks, `\\`, `%2e`, `%2f` and `%5c`. Leading slashes are left out, and "
        "letters with accents are composed (Unicode's NFC); `output_location` contains the result. "
        f"With the id, a key has at most {limits.MAX_KEY_BYTES} bytes."
    ),
}


def ref(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """Return a schema that also allows null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | {"type": [schema["type"], "null"]}


def open_object(schema: Schema) -> Schema:
    """Return the schema of an object that may have further properties, which are ignored with a warning."""
    return schema | {"additionalProperties": True}


def closed_object(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """Return the schema of an object with these properties, all required but `optional`, and no others."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **more,
    }


def components(
    runtimes: Runtimes, allowed: Limits = DEFAULT_LIMITS, types: RuntimeTypes = RUNTIME_TYPES
) -> dict[str, Schema]:
    """Return every named schema; `runtimes` and `allowed` are those of this deployment."""
    runtime_types = {runtime.type: types[runtime.type] for runtime in runtimes}
    contents = {
        content_name(tasktype): runtime_type.schema(tasktype, allowed)
        for runtime_type in runtime_types.values()
        for tasktype in runtime_type.task_types
    }
    tasktypes = [tasktype for runtime_type in runtime_types.values() for tasktype in runtime_type.task_types]
    return {
        **_shared(list(dict.fromkeys(tasktypes))),
        **_requests(runtimes.names, list(contents)),
        **_responses(),
        **contents,
    }


def _shared(tasktypes: list[str]) -> dict[str, Schema]:
    text = {"type": "string"}
    presigned = {"s3": S3_LINK, "url": {"type": "string", "format": "uri"}, "expires_at": TIME}
    return {
        "Error": closed_object(
            {
                "error": closed_object(
                    {
                        "code": {"type": "string", "description": "Stable; programs can rely on it."},
                        "message": text,
                        "details": {"type": "array", "items": ref("Fault")},
                        "request_id": text,
                    },
                    optional=("request_id",),
                ),
            },
            description="The body of every error response. It names all faults of the request.",
        ),
        "Fault": closed_object(
            {
                "path": {"type": "string", "description": "A JSON pointer, or a parameter's name."},
                "message": text,
            },
        ),
        "Outcome": closed_object(
            {"code": {"type": "string", "enum": [code.value for code in ErrorCode]}, "message": text},
            description="Why a task failed or was cancelled.",
        ),
        "Links": closed_object({"status": ref("Link"), "cancel": ref("Link")}),
        "Link": closed_object({"method": text, "href": {"type": "string", "format": "uri"}}),
        "Presigned": closed_object(
            presigned,
            description="An object, and a link with which anyone can download it until `expires_at`.",
        ),
        "OtherImage": closed_object({"kind": {"type": "string", "examples": ["map"]}} | presigned),
        "Status": {"type": "string", "enum": [status.value for status in Status]},
        "TaskType": {"type": "string", "enum": tasktypes},
    }


def _requests(runtimes: list[str], contents: list[str]) -> dict[str, Schema]:
    content = {"anyOf": [ref(name) for name in contents]}
    context = {
        "description": f"Any JSON up to {limits.MAX_CONTEXT_BYTES} bytes. The callback contains it unchanged."
    }
    metadata = closed_object(
        {
            "id": ID,
            "runtime": {"type": "string", "enum": runtimes},
            "tasktype": ref("TaskType"),
            "prefix": PREFIX,
            "context": context,
            "group": GROUP,
            "output": ref("Output"),
            "webhook": ref("Webhook"),
            "start_within_seconds": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": limits.MAX_START_SECONDS,
                "description": (
                    "If no GPU has taken the task this many seconds after its submit, it fails with "
                    "`task_expired` and uses no GPU."
                ),
            },
        },
        optional=("context", "group", "output", "start_within_seconds", "webhook"),
    )
    task = open_object(closed_object({"metadata": open_object(metadata), "content": content}))
    return {
        "SubmitV1Alpha2": open_object(closed_object({"task": task})),
        "UploadRequest": closed_object(
            {"content_type": {"type": ["string", "null"], "enum": [*UPLOAD_TYPES, None]}},
            optional=("content_type",),
        ),
    }


def submit_response(own: dict[str, Schema]) -> Schema:
    """Return the schema of the response to a submit; `own` are the fields of its API version."""
    shared = {
        "output_location": S3_LINK,
        "id": ID,
        "status": ref("Status"),
        "links": ref("Links"),
        "warnings": {
            "type": "array",
            "items": ref("Fault"),
            "description": "What was removed from the content or changed in it.",
        },
    }
    return closed_object({"id_task": ID} | own | shared)


def _responses() -> dict[str, Schema]:
    text = {"type": "string"}
    listed = {
        "id": ID,
        "status": ref("Status"),
        "runtime": text,
        "tasktype": ref("TaskType"),
        "submitted_at": TIME,
        "started_at": nullable(TIME),
        "finished_at": nullable(TIME),
        "links": ref("Links"),
    }
    task = listed | {
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "published_at": nullable(TIME),
        "cancel_requested": nullable(TIME),
        "start_by": nullable(TIME)
        | {"description": "The task fails if no GPU has taken it by then; null once one has."},
        "position": {
            "type": ["integer", "null"],
            "minimum": 0,
            "description": (
                "How many tasks of the runtime were accepted before this one and are still queued; null "
                "if it is not queued."
            ),
        },
        "estimated_start": nullable(TIME)
        | {"description": "When a queued task will presumably start; null if that is not known."},
        "estimated_finish": nullable(TIME),
        "position_capped": {"type": "boolean", "description": "True if there are more than `position`."},
        "attempts": {"type": "integer", "minimum": 0, "maximum": limits.MAX_ATTEMPTS},
        "context": {"description": "As it was submitted."},
        "output_location": S3_LINK,
        "images": {"type": "array", "items": ref("Presigned")},
        "other_images": {
            "type": "array",
            "items": ref("OtherImage"),
            "description": "Other stored images: grids of scripts, masks, and maps of ControlNet.",
        },
        "output": nullable(ref("Presigned")),
        "outputs_deleted_at": nullable(TIME)
        | {"description": "When `DELETE …/outputs` deleted the task's images and its output document."},
        "error": nullable(ref("Outcome")),
        "deliveries": {"type": "array", "items": ref("Delivery")},
        "images_left_out": {
            "type": "integer",
            "description": "Number of further images, which are listed only in the document at `output`.",
        },
        "other_images_left_out": {"type": "integer", "description": "The same for `other_images`."},
    }
    upload: dict[str, Schema] = {
        "method": {"const": "POST"},
        "url": {"type": "string", "format": "uri"},
        "fields": {
            "type": "object",
            "additionalProperties": text,
            "description": "Send these unchanged as fields of a multipart form, before the field `file`.",
        },
        "s3": S3_LINK | {"description": "The link to put into a task instead of the image."},
        "expires_at": TIME,
    }
    return {
        "SubmittedV1Alpha2": submit_response({"runtime": text}),
        "Task": closed_object(task, optional=("images_left_out", "other_images_left_out", "position_capped")),
        "TaskList": closed_object(
            {
                "tasks": {"type": "array", "items": closed_object(listed)},
                "cursor": nullable(text)
                | {"description": "The `cursor` parameter for the next page; null on the last page."},
            },
        ),
        "Upload": closed_object(upload),
    }


def content_name(tasktype: str) -> str:
    """Return the name of the schema for the content of a task type."""
    return "".join(word.title() for word in tasktype.split("-")) + "Content"
