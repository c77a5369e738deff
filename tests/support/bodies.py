"""Request bodies of both versions, small enough to be drawn in no time."""

import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

CHECKPOINT = (
    "v1-5-pruned-emaonly.safetensors"  # what sdruntime of config.yaml and of two_runtimes.yaml serves
)
RUNTIME = "sdruntime"
DYNAMIC_RUNTIME = "sddynamic"

Json = dict[str, Any]


def v1alpha2(task_id: str, tasktype: str, content: Json, /, **metadata: Any) -> Json:
    """Return a v1alpha2 request; `metadata` goes over the defaults."""
    routing = {"id": task_id, "runtime": RUNTIME, "tasktype": tasktype, "prefix": "output"}
    return {"task": {"metadata": routing | metadata, "content": content}}


def v1alpha1(task_id: str, tasktype: str, content: Json, /, **scripts: Any) -> Json:
    """Return a v1alpha1 request; `scripts` goes into `alwayson_scripts`."""
    routing = {"task": tasktype, "id_task": task_id, "sd_model_checkpoint": CHECKPOINT}
    return content | {"alwayson_scripts": content.get("alwayson_scripts", {}) | routing | scripts}


def text(prompt: str = "a cat", **content: Any) -> Json:
    """Return the content of a text-to-image task."""
    return {"prompt": prompt, "steps": 2, "width": 64, "height": 64, "seed": 42} | content


def like(*images: str, **content: Any) -> Json:
    """Return the content of an image-to-image task."""
    return text(init_images=list(images)) | content


def upscale(image: str, **content: Any) -> Json:
    """Return the content of an extra-single-image task."""
    return {"image": image, "upscaling_resize": 2, "upscaler_1": "Lanczos"} | content


def upscale_all(*images: str) -> Json:
    """Return the content of an extra-batch-images task."""
    listed = [{"data": image, "name": f"{number}.png"} for number, image in enumerate(images)]
    return {"imageList": listed, "upscaling_resize": 2, "upscaler_1": "Lanczos"}


def content(tasktype: str, image: str) -> Json:
    """Return the content of a task of that type, which refers to `image` where it takes one."""
    contents: dict[str, Callable[[], Json]] = {
        "text-to-image": text,
        "image-to-image": lambda: like(image),
        "extra-single-image": lambda: upscale(image),
        "extra-batch-images": lambda: upscale_all(image, image),
    }
    return contents[tasktype]()


def picture(side: int = 32, colour: str = "red") -> bytes:
    """Return a PNG."""
    file = BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()


def noise(at_least_bytes: int) -> bytes:
    """Return a PNG of about so many bytes: noise does not compress."""
    side = int((at_least_bytes / 3) ** 0.5) + 1
    image = Image.effect_noise((side * 3, side), 100)
    file = BytesIO()
    image.save(file, "PNG", compress_level=0)
    return file.getvalue()


def inline(image: bytes) -> str:
    """Return an image as base64."""
    return base64.b64encode(image).decode()
