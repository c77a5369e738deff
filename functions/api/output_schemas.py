"""JSON Schema of a task's output options."""

from typing import Final

from domain.output import DEFAULT_QUALITY, FORMATS, LOSSY_FORMATS, MAX_QUALITY, METADATA
from functions.api.schemas import Schema, closed_object

OUTPUT_SCHEMAS: Final[dict[str, Schema]] = {
    "Output": closed_object(
        {
            "format": {
                "type": ["string", "null"],
                "enum": [*FORMATS, None],
                "description": "The format of the task's images; without it, that of the engine.",
            },
            "quality": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": MAX_QUALITY,
                "description": f"Only with {' or '.join(LOSSY_FORMATS)}; by default {DEFAULT_QUALITY}.",
            },
            "metadata": {
                "type": ["string", "null"],
                "enum": [*METADATA, None],
                "default": "keep",
                "description": (
                    "`keep` writes prompt and seed (of ComfyUI: the workflow, if the file has it) into the "
                    "EXIF data of JPEG and WebP; `strip` removes them from the images."
                ),
            },
        },
        optional=("format", "quality", "metadata"),
        dependentSchemas={
            "quality": {
                "anyOf": [
                    {"properties": {"quality": {"type": "null"}}},
                    {"properties": {"format": {"enum": list(LOSSY_FORMATS)}}, "required": ["format"]},
                ]
            }
        },
        description=(
            "How the task's images are stored. Animations and videos are stored as the engine returned them."
        ),
    )
    | {"type": ["object", "null"]},
}
"""The named schema `Output`."""
