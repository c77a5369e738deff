"""The content of ComfyUI's tasks as JSON Schema (2020-12)."""

from typing import Any, Final

from domain.limits import Limits
from runtimes.comfyui.options import MOST_NODES
from runtimes.comfyui.shapes import MOST_ID_CHARACTERS

Schema = dict[str, Any]

_NODE: Final[Schema] = {
    "type": "object",
    "required": ["class_type", "inputs"],
    "properties": {
        "class_type": {"type": "string"},
        "inputs": {
            "type": "object",
            "description": "A value, or a link as [id of a node, number of its output].",
        },
        "_meta": {"type": "object", "properties": {"title": {"type": "string"}}},
    },
}
_WORKFLOW: Final[Schema] = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"maxLength": MOST_ID_CHARACTERS},
    "additionalProperties": _NODE,
    "description": "A workflow in API format, as ComfyUI exports it with Export (API).",
}
_FILE: Final[Schema] = {
    "type": "string",
    "description": "A link (https, http or s3) or base64 of an image, a video or a sound.",
}


def content_schema(allowed: Limits) -> Schema:
    """Return the schema of a task's content; `allowed` are the limits of the deployment."""
    return {
        "description": (
            "A workflow in API format, in one of three shapes. An input that names a file takes a link, "
            "base64, or a name in `files`. A seed of -1 is drawn. A workflow has at most "
            f"{MOST_NODES} nodes and makes at most {allowed.images} images of at most {allowed.pixels} "
            f"pixels ({allowed.upscaled_pixels} where it scales) with at most {allowed.steps} steps each; "
            f"at most {allowed.links} links. A video that a node makes has at most {allowed.frames} frames."
        ),
        "anyOf": [
            {
                "type": "object",
                "required": ["prompt"],
                "properties": {
                    "prompt": _WORKFLOW,
                    "files": {"type": "object", "additionalProperties": _FILE},
                    "outputs": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string"},
                        "description": "The output nodes to run and store, in this order; all by default.",
                    },
                    "workflow": {"type": "object", "description": "The JSON that ComfyUI's page saves."},
                },
                "additionalProperties": False,
            },
            {
                "type": "object",
                "required": ["workflow"],
                "properties": {
                    "workflow": _WORKFLOW,
                    "images": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name", "image"],
                            "properties": {"name": {"type": "string"}, "image": _FILE},
                        },
                    },
                },
                "additionalProperties": False,
                "description": "The body of worker-comfyui.",
            },
            _WORKFLOW,
        ],
    }
