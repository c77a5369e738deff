"""The request of `POST /v1alpha1` as JSON Schema (2020-12)."""

from typing import Final

from functions.api.schemas import ID, PREFIX, Schema, ref
from runtimes.sdwebui.schema import OVERRIDES

_ROUTING: Final[dict[str, Schema]] = {
    "task": ref("TaskType"),
    "id_task": ID,
    "sd_model_checkpoint": {"type": "string", "description": "Its name chooses the runtime."},
    "image_link": {"type": "string", "description": "The reference image, by http, https or s3."},
    "save_dir": PREFIX | {"default": "output"},
    "uid": {"type": ["string", "integer"], "description": "The caller's name for its user."},
    "sd_vae": {"type": "string"},
    "override_settings": OVERRIDES,
}

REQUEST: Final[Schema] = {
    "type": "object",
    "properties": {
        "alwayson_scripts": {
            "type": "object",
            "properties": _ROUTING,
            "required": ["task", "id_task", "sd_model_checkpoint"],
        },
    },
    "required": ["alwayson_scripts"],
    "description": (
        "SD Web UI's own body; its `alwayson_scripts` carries the routing keys. image-to-image needs "
        "`image_link` there or `init_images` beside it."
    ),
}
