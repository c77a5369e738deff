"""Requests in the forms in which callers of other ComfyUI services send them."""

import base64
import json
from typing import Any, Final

from tests.support.comfyui import image_to_image, png, text_to_image

Json = dict[str, Any]

INLINE: Final = base64.b64encode(png("green", size=512)).decode()
PICTURE: Final = "https://example.org/cat.png"
UI: Final[Json] = {"nodes": [{"id": 3, "type": "KSampler"}], "links": []}


def _flow(**options: Any) -> Json:
    return text_to_image(size=512, **options)


def _from(name: str) -> Json:
    return image_to_image(name, size=512)


def _without_seed() -> Json:
    flow = _flow()
    del flow["3"]["inputs"]["seed"]
    return flow


def _guidance(flow: Json) -> Json:
    metadata = {"id": "test-pipeline", "runtime": "comfyui", "tasktype": "pipeline", "prefix": "output"}
    return {"task": {"metadata": {**metadata, "context": ""}, "content": flow}}


REQUESTS: Final[dict[str, Json]] = {
    "worker-comfyui": {"input": {"workflow": _flow()}},
    "worker-comfyui with an image": {
        "input": {
            "workflow": _from("input_image_1.png"),
            "images": [{"name": "input_image_1.png", "image": f"data:image/png;base64,{INLINE}"}],
        }
    },
    "worker-comfyui with an image in a folder, and two of one name": {
        "input": {
            "workflow": _from("people/me.png"),
            "images": [
                {"name": "people/me.png", "image": base64.b64encode(png("red", size=512)).decode()},
                {"name": "people/me.png", "image": INLINE},
            ],
        }
    },
    "worker-comfyui as text": {"input": json.dumps({"workflow": _flow()})},
    "worker-comfyui with all that RunPod takes": {
        "id": "sync-1",
        "input": {"workflow": _flow(), "api_key_comfy_org": "key"},
        "policy": {"executionTimeout": 60_000, "ttl": 3_600_000, "lowPriority": False},
        "s3Config": {"bucketName": "b"},
    },
    "the Guidance": _guidance(_flow()),
    "the Guidance without a seed": _guidance(_without_seed()),
    "the Guidance's message": _guidance(_flow())["task"],
    "ComfyUI": {
        "prompt": _flow(),
        "client_id": "0b1f",
        "extra_data": {"extra_pnginfo": {"workflow": UI}, "api_key_comfy_org": "key"},
        "partial_execution_targets": ["9"],
    },
    "a workflow with a link": _from(PICTURE),
}
"""Each makes one picture of 512 × 512."""
