"""Build the bodies of common tasks."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Unpack

from sd_on_ecs.api_types import (
    ExtraSingleImageContent,
    ImageToImageContent,
    TaskOptions,
    TextToImageContent,
)

Image = str | bytes | Path
"""An image in a body: a link (`https`, `http`, `s3`) or base64 as text, its bytes, or a file of this machine.
Bytes and files are uploaded when the task is submitted."""

Body = dict[str, Any]
"""The body of a submit."""

DEFAULT_PREFIX: Final = "output"
DEFAULT_UPSCALER: Final = "R-ESRGAN 4x+"


class TextToImageFields(TaskOptions, TextToImageContent):
    """The metadata of a task and the fields of SD Web UI's text-to-image."""


class ImageToImageFields(TaskOptions, ImageToImageContent):
    """The metadata of a task and the fields of SD Web UI's image-to-image."""


class UpscaleFields(TaskOptions, ExtraSingleImageContent):
    """The metadata of a task and the fields of SD Web UI's extra-single-image."""


def text_to_image(prompt: str, /, **fields: Unpack[TextToImageFields]) -> Body:
    """Return a task that makes images from a text."""
    return _body("text-to-image", {"prompt": prompt}, fields)


def image_to_image(
    prompt: str, image: Image, /, *, mask: Image | None = None, **fields: Unpack[ImageToImageFields]
) -> Body:
    """Return a task that makes images which resemble an image, or changes it where a mask is white."""
    own: dict[str, Any] = {"prompt": prompt, "init_images": [image]}
    if mask is not None:
        own["mask"] = mask
    return _body("image-to-image", own, fields)


def upscale(image: Image, /, *, scale: float = 2, **fields: Unpack[UpscaleFields]) -> Body:
    """Return a task that enlarges an image; `upscaler_1` is the upscaler's name."""
    own = {"image": image, "upscaling_resize": scale, "upscaler_1": DEFAULT_UPSCALER}
    return _body("extra-single-image", own, fields)


def workflow(
    graph: Mapping[str, Any],
    /,
    *,
    files: Mapping[str, Image] | None = None,
    outputs: Sequence[str] | None = None,
    **options: Unpack[TaskOptions],
) -> Body:
    """Return a task that runs a ComfyUI workflow, as *Export (API)* saves it.

    `files` are the files that its inputs name, and `outputs` the ids of the output nodes to run.
    """
    own: dict[str, Any] = {"prompt": dict(graph)}
    if files:
        own["files"] = dict(files)
    if outputs is not None:
        own["outputs"] = list(outputs)
    return _body("pipeline", own, options)


def names_checkpoint(content: Any) -> bool:
    """Return whether the content of a task for SD Web UI says with which checkpoint it is to run."""
    scripts = content.get("alwayson_scripts") if isinstance(content, dict) else None
    return isinstance(scripts, dict) and bool(scripts.get("sd_model_checkpoint"))


def new_id() -> str:
    """Return an id for a task that no other has; ids of later tasks sort after it."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _body(tasktype: str, content: dict[str, Any], fields: Mapping[str, Any]) -> Body:
    names = TaskOptions.__annotations__
    options = {name: value for name, value in fields.items() if name in names}
    content |= {name: value for name, value in fields.items() if name not in names}
    metadata = {"id": new_id(), "tasktype": tasktype, "prefix": DEFAULT_PREFIX, **options}
    return {"task": {"metadata": metadata, "content": content}}
