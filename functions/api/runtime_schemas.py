"""JSON Schemas of runtimes and their catalogues."""

from collections.abc import Sequence

from functions.api.schemas import TIME, Schema, closed_object, nullable
from runtimes.base import RuntimeType


def runtime_schemas(types: Sequence[RuntimeType]) -> dict[str, Schema]:
    """Return the schemas `RuntimeList` and `RuntimeDetails` for the types of a deployment's runtimes."""
    text: Schema = {"type": "string"}
    names: Schema = {"type": "array", "items": text}
    count: Schema = {
        "type": "integer",
        "minimum": 0,
        "description": "Approximate, because SQS only estimates it.",
    }
    runtime: dict[str, Schema] = {
        "name": text,
        "type": text,
        "model": nullable(text)
        | {"description": "The checkpoint that the runtime serves; for a dynamic runtime, its default."},
        "dynamic_model": {"type": "boolean"},
        "scripts": nullable({"type": "array", "items": text})
        | {"description": "The scripts that a task may use; null allows all."},
        "queued": count,
        "in_flight": count,
        "workers": closed_object(
            {name: {"type": "integer", "minimum": 0} for name in ("running", "starting")},
            description="How many workers can run tasks, and how many have started and cannot yet.",
        ),
    }
    engine_lists = [name for runtime_type in types for name in runtime_type.engine_lists]
    model_kinds = dict.fromkeys(kind for runtime_type in types for kind in runtime_type.model_kinds)
    model: dict[str, Schema] = {
        "kind": {"type": "string", "enum": list(model_kinds)},
        "name": text | {"description": "The name by which a task can ask for it."},
        "bytes": {"type": "integer", "minimum": 0},
        "modified_at": TIME,
    }
    details: dict[str, Schema] = runtime | {
        "models": nullable({"type": "array", "items": closed_object(model)})
        | {"description": "null, without a cursor, if the model bucket cannot be listed."},
        "cursor": nullable(text)
        | {"description": "The `cursor` parameter for the next page; null on the last page."},
        "engine": {
            "anyOf": [
                closed_object(
                    {"reported_at": TIME, **dict.fromkeys(engine_lists, names)}, optional=tuple(engine_lists)
                ),
                {"type": "null"},
            ],
            "description": "What the last worker's engine listed; null before a worker was ready.",
        },
    }
    return {
        "RuntimeList": closed_object({"runtimes": {"type": "array", "items": closed_object(runtime)}}),
        "RuntimeDetails": closed_object(details),
    }
