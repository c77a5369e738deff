"""Request bodies for v1alpha1 and v1alpha2, with images that are small enough to generate quickly."""

import base64
import math
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
"""The checkpoint of the runtime `sdruntime` in config.yaml and two_runtimes.yaml."""
RUNTIME = "sdruntime"
DYNAMIC_RUNTIME = "sddynamic"

Json = dict[str, Any]


def v1alpha2(task_id: str, tasktype: str, content: Json, /, **metadata: Any) -> Json:
    """Return a v1alpha2 request; `metadata` overrides the defaults."""
    routing = {"id": task_id, "runtime": RUNTIME, "tasktype": tasktype, "prefix": "output"}
    return {"task": {"metadata": routing | metadata, "content": content}}


def v1alpha1(task_id: str, tasktype: str, content: Json, /, **scripts: Any) -> Json:
    """Return a v1alpha1 request, which has its metadata and further `scripts` in `alwayson_scripts`."""
    routing = {"task": tasktype, "id_task": task_id, "sd_model_checkpoint": CHECKPOINT}
    return content | {"alwayson_scripts": content.get("alwayson_scripts", {}) | routing | scripts}


def text_to_image(prompt: str = "a cat", **content: Any) -> Json:
    """Return the content of a text-to-image task."""
    return {"prompt": prompt, "steps": 2, "width": 64, "height": 64, "seed": 42} | content


def image_to_image(*images: str, **content: Any) -> Json:
    """Return the content of an image-to-image task."""
    return text_to_image(init_images=list(images)) | content


def extra_single_image(image: str, **content: Any) -> Json:
    """Return the content of an extra-single-image task."""
    return {"image": image, "upscaling_resize": 2, "upscaler_1": "Lanczos"} | content


def extra_batch_images(*images: str) -> Json:
    """Return the content of an extra-batch-images task."""
    image_list = [{"data": image, "name": f"{number}.png"} for number, image in enumerate(images)]
    return {"imageList": image_list, "upscaling_resize": 2, "upscaler_1": "Lanczos"}


def example_content(tasktype: str, image: str) -> Json:
    """Return the content of a task type; `image` is a link or base64, for types that need an image."""
    contents: dict[str, Callable[[], Json]] = {
        "text-to-image": text_to_image,
        "image-to-image": lambda: image_to_image(image),
        "extra-single-image": lambda: extra_single_image(image),
        "extra-batch-images": lambda: extra_batch_images(image, image),
    }
    return contents[tasktype]()


def png(side: int = 32, colour: str = "red") -> bytes:
    """Return a PNG."""
    file = BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()


def noise_png(min_bytes: int) -> bytes:
    """Return a PNG of at least `min_bytes` bytes; noise cannot be compressed."""
    side = math.isqrt(min_bytes) + 1
    image = Image.effect_noise((side, side), 100)
    file = BytesIO()
    image.save(file, "PNG", compress_level=0)
    return file.getvalue()


def to_base64(image: bytes) -> str:
    """Encode an image as base64."""
    return base64.b64encode(image).decode()
