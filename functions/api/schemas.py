"""The shapes of requests and answers, as JSON Schema (2020-12) for the OpenAPI document."""

from typing import Any, Final

from domain import limits
from domain.errors import ErrorCode
from domain.limits import DEFAULT_LIMITS, Limits
from domain.row import Status
from domain.task import TaskType
from functions.api.links import UPLOAD_TYPES
from runtimes.sdwebui.bounds import bounds
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.overrides import ALLOWED_SETTINGS
from runtimes.sdwebui.prompts import MAX_DEPTH, MAX_MARKS, MAX_NETWORKS

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
PREFIX: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "description": (
        "What the output's S3 keys begin with: no empty, `.` or `..` segment, no control character, no "
        f"leading `/`; with the id, the keys stay within {limits.MAX_KEY_BYTES} bytes."
    ),
}


OVERRIDES: Final[Schema] = {
    "type": "object",
    "properties": {name: {} for name in sorted({*ALLOWED_SETTINGS, "sd_model_checkpoint"})},
    "additionalProperties": False,
    "description": "The settings of SD Web UI that a task may override; they end with the task.",
}


def ref(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """Return the schema, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | {"type": [schema["type"], "null"]}


def closed(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """Return an object that has these properties, all but `optional`, and no other."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **more,
    }


def components(runtimes: list[str], allowed: Limits = DEFAULT_LIMITS) -> dict[str, Schema]:
    """Return every named schema; `runtimes` and `allowed` are those of this deployment."""
    return {
        **_shared(),
        **_requests(runtimes),
        **_answers(),
        **{_content_name(tasktype): _content(tasktype, allowed) for tasktype in TaskType},
    }


def _shared() -> dict[str, Schema]:
    text = {"type": "string"}
    return {
        "Error": closed(
            {
                "error": closed(
                    {
                        "code": {"type": "string", "description": "Stable; made for programs."},
                        "message": text,
                        "details": {"type": "array", "items": ref("Fault")},
                        "request_id": text,
                    },
                    optional=("request_id",),
                ),
            },
            description="The one shape of every refusal. All faults of a request are told at once.",
        ),
        "Fault": closed(
            {
                "path": {"type": "string", "description": "A JSON pointer, or a parameter's name."},
                "message": text,
            },
        ),
        "Outcome": closed(
            {"code": {"type": "string", "enum": [code.value for code in ErrorCode]}, "message": text},
            description="Why a task failed or was cancelled.",
        ),
        "Links": closed({"status": ref("Link"), "cancel": ref("Link")}),
        "Link": closed({"method": text, "href": {"type": "string", "format": "uri"}}),
        "Presigned": closed(
            {"s3": S3_LINK, "url": {"type": "string", "format": "uri"}, "expires_at": TIME},
            description="An object, and a link by which anyone may get it until it expires.",
        ),
        "Status": {"type": "string", "enum": [status.value for status in Status]},
        "TaskType": {"type": "string", "enum": [tasktype.value for tasktype in TaskType]},
    }


def _requests(runtimes: list[str]) -> dict[str, Schema]:
    context = {"description": f"Any JSON up to {limits.MAX_CONTEXT_BYTES} bytes; the callback repeats it."}
    metadata = closed(
        {
            "id": ID,
            "runtime": {"type": "string", "enum": runtimes},
            "tasktype": ref("TaskType"),
            "prefix": PREFIX,
            "context": context,
        },
        optional=("context",),
    )
    content = {"anyOf": [ref(_content_name(tasktype)) for tasktype in TaskType]}
    routing = {
        "task": ref("TaskType"),
        "id_task": ID,
        "sd_model_checkpoint": {"type": "string", "description": "Its name chooses the runtime."},
        "image_link": {"type": "string", "description": "The reference image, by http, https or s3."},
        "save_dir": PREFIX | {"default": "output"},
        "uid": {"type": ["string", "integer"], "description": "The caller's name for its user."},
        "sd_vae": {"type": "string"},
        "override_settings": OVERRIDES,
    }
    return {
        "SubmitV1Alpha2": closed({"task": closed({"metadata": metadata, "content": content})}),
        "SubmitV1Alpha1": {
            "type": "object",
            "properties": {
                "alwayson_scripts": {
                    "type": "object",
                    "properties": routing,
                    "required": ["task", "id_task", "sd_model_checkpoint"],
                },
            },
            "required": ["alwayson_scripts"],
            "description": (
                "SD Web UI's own body; its `alwayson_scripts` carries the routing keys. image-to-image needs "
                "`image_link` there or `init_images` beside it."
            ),
        },
        "UploadRequest": closed(
            {"content_type": {"type": ["string", "null"], "enum": [*UPLOAD_TYPES, None]}},
            optional=("content_type",),
        ),
    }


def _answers() -> dict[str, Schema]:
    text = {"type": "string"}
    accepted = {
        "output_location": S3_LINK,
        "id": ID,
        "status": ref("Status"),
        "links": ref("Links"),
        "warnings": {
            "type": "array",
            "items": ref("Fault"),
            "description": "What was dropped from the content or changed in it.",
        },
    }
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
        "attempts": {"type": "integer", "minimum": 0, "maximum": limits.MAX_ATTEMPTS},
        "context": {"description": "As it was submitted."},
        "output_location": S3_LINK,
        "images": {"type": "array", "items": ref("Presigned")},
        "output": nullable(ref("Presigned")),
        "error": nullable(ref("Outcome")),
        "images_left_out": {
            "type": "integer",
            "description": "Further images, which only the document at `output` names.",
        },
    }
    count = {"type": "integer", "minimum": 0, "description": "Approximate, as SQS counts."}
    runtime = {
        "name": text,
        "type": text,
        "model": nullable(text)
        | {"description": "The checkpoint served; of a dynamic runtime, the default."},
        "dynamic_model": {"type": "boolean"},
        "scripts": nullable({"type": "array", "items": text})
        | {"description": "Those that `script_name` and `alwayson_scripts` may name; null allows all."},
        "queued": count,
        "in_flight": count,
    }
    upload: dict[str, Schema] = {
        "method": {"const": "PUT"},
        "url": {"type": "string", "format": "uri"},
        "headers": {"type": "object", "additionalProperties": text, "description": "Send them as they are."},
        "s3": S3_LINK | {"description": "What to put into a task instead of the image."},
        "expires_at": TIME,
    }
    return {
        "SubmittedV1Alpha2": closed({"id_task": ID, "runtime": text} | accepted),
        "SubmittedV1Alpha1": closed({"id_task": ID, "sd_model_checkpoint": text} | accepted),
        "Task": closed(task, optional=("images_left_out",)),
        "TaskList": closed(
            {
                "tasks": {"type": "array", "items": closed(listed)},
                "cursor": nullable(text) | {"description": "Asks for the next page; null on the last."},
            },
        ),
        "RuntimeList": closed({"runtimes": {"type": "array", "items": closed(runtime)}}),
        "Upload": closed(upload),
    }


def _content_name(tasktype: TaskType) -> str:
    return "".join(word.title() for word in tasktype.split("-")) + "Content"


def _content(tasktype: TaskType, allowed: Limits) -> Schema:
    properties = {name: _kind(kind) for name, kind in FIELDS[tasktype].items()}
    for name, (low, high) in bounds(tasktype, allowed).items():
        properties[name] = properties[name] | {"minimum": low, "maximum": high}
    if tasktype.generates:
        properties["override_settings"] = nullable(OVERRIDES)
    return {
        "type": "object",
        "properties": properties,
        "description": (
            f"SD Web UI's own body for {tasktype.value}. Unknown fields are ignored, with a warning; numbers "
            "and booleans may come as strings, as SD Web UI allows. `batch_size` × `n_iter` is at most "
            f"{allowed.images}, `width` × `height` at most {allowed.pixels} (upscaled: "
            f"{allowed.upscaled_pixels}), links at most {allowed.links}, a prompt at most "
            f"{allowed.prompt_characters} characters, {MAX_MARKS} brackets, colons and bars, and brackets "
            f"{MAX_DEPTH} deep; the prompts of a task name at most {MAX_NETWORKS} networks."
        ),
    }


def _kind(kind: str) -> Schema:
    base = kind.removesuffix("?")
    if base == "array of string":
        schema: Schema = {"type": "array", "items": {"type": "string"}}
    elif base in ("integer", "number", "boolean"):
        schema = {"type": [base, "string"]}
        return {"type": [base, "string", "null"]} if kind.endswith("?") else schema
    else:
        schema = {"type": base}
    return nullable(schema) if kind.endswith("?") else schema
