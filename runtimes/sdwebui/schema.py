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
    "description": "The settings of SD Web UI that a task may override, for this task only.",
}


def content_schema(tasktype: TaskType, allowed: Limits) -> Schema:
    """Return the schema of a task's content; `allowed` are the limits of the deployment."""
    properties = {name: _kind(kind) for name, kind in FIELDS[tasktype].items()}
    for name, (low, high) in bounds(tasktype, allowed).items():
        properties[name] = properties[name] | {"minimum": low, "maximum": high}
    if tasktype.generates:
        properties["override_settings"] = OVERRIDES | {"type": ["object", "null"]}
    return {
        "type": "object",
        "properties": properties,
        "description": (
            f"The body of SD Web UI's own API for {tasktype.value}. Unknown fields are ignored with a "
            "warning. Numbers and booleans may be strings, as SD Web UI allows. Limits: `batch_size` × "
            f"`n_iter` is at most {allowed.images}; `width` × `height` at most {allowed.pixels} "
            f"({allowed.upscaled_pixels} after upscaling); at most {allowed.links} links; a prompt has at "
            f"most {allowed.prompt_characters} characters and {MAX_MARKS} brackets, colons and bars, nested "
            f"at most {MAX_DEPTH} deep; the prompts of a task name at most {MAX_NETWORKS} networks."
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
