"""Request and response of `POST /v1alpha1` as JSON Schema (2020-12)."""

from typing import Final

from functions.api.schemas import GROUP, ID, PREFIX, Schema, ref, submit_response
from runtimes.sdwebui.schema import OVERRIDES
from runtimes.sdwebui.task_type import TaskType

_ROUTING: Final[dict[str, Schema]] = {
    "task": {"type": "string", "enum": [tasktype.value for tasktype in TaskType]},
    "id_task": ID,
    "sd_model_checkpoint": {
        "type": "string",
        "minLength": 1,
        "description": "The checkpoint's name; it selects the runtime.",
    },
    "image_link": {"type": "string", "description": "An http, https or s3 link to the reference image."},
    "save_dir": PREFIX | {"default": "output"},
    "uid": {"type": ["string", "integer"], "description": "The caller's id of a user."},
    "group": GROUP,
    "output": ref("Output"),
    "webhook": ref("Webhook"),
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
        "The body of SD Web UI's own API, with the routing keys in `alwayson_scripts`. image-to-image needs "
        "`image_link` in `alwayson_scripts`, or `init_images` in the body."
    ),
}

RESPONSE: Final[Schema] = submit_response({"sd_model_checkpoint": {"type": "string"}})
