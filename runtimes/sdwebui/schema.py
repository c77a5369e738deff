"""The content of SD Web UI's tasks as JSON Schema (2020-12)."""

from typing import Any, Final

from domain.limits import Limits
from runtimes.sdwebui.bounds import bounds
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.overrides import ALLOWED_SETTINGS, CHECKPOINT_SETTING
from runtimes.sdwebui.prompts import MAX_DEPTH, MAX_MARKS, MAX_NETWORKS
from runtimes.sdwebui.task_type import TaskType

Schema = dict[str, Any]

OVERRIDES: Final[Schema] = {
    "type": "object",
    "properties": {name: {} for name in sorted({*ALLOWED_SETTINGS, CHECKPOINT_SETTING})},
    "additionalProperties": False,
    "description": "The settings of SD Web UI that a task may override; they end with the task.",
}


def content_schema(tasktype: TaskType, allowed: Limits) -> Schema:
    """Return the schema of a content; `allowed` are the limits of the deployment."""
    properties = {name: _kind(kind) for name, kind in FIELDS[tasktype].items()}
    for name, (low, high) in bounds(tasktype, allowed).items():
        properties[name] = properties[name] | {"minimum": low, "maximum": high}
    if tasktype.generates:
        properties["override_settings"] = OVERRIDES | {"type": ["object", "null"]}
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
    schema: Schema = {"type": base}
    if base == "array of string":
        schema = {"type": "array", "items": {"type": "string"}}
    elif base in ("integer", "number", "boolean"):
        schema = {"type": [base, "string"]}
    if kind.endswith("?"):
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return schema | {"type": [*types, "null"]}
    return schema
