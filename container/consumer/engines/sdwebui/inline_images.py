"""Replace links in a task's content by base64 data, the form in which SD Web UI accepts images."""

import base64
from collections.abc import Mapping
from typing import Any

from container.consumer.inputs.fetch import Fetched
from container.consumer.inputs.inline import engine_reads_inline
from domain.errors import ErrorCode, PermanentError
from domain.limits import DEFAULT_LIMITS, Limits
from runtimes.sdwebui.inputs import image_fields
from runtimes.sdwebui.upscaling import exceeds_upscaling_limit


def with_images(
    content: dict[str, Any], inputs: Mapping[str, Fetched], limits: Limits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Return a copy of the content with links replaced by the `inputs` at their JSON pointers.

    Raise PermanentError if an upscaler would make an image too large. Inline images that SD Web UI can read
    stay unchanged.
    """
    content = _copy(content)
    encoded: dict[int, str] = {}
    for image in list(image_fields(content)):
        fetched = inputs[image.path]
        if exceeds_upscaling_limit(content, image.path, fetched.image.size, limits):
            most = f"{limits.upscaled_pixels:,} pixels are allowed after the upscaler."
            raise PermanentError(ErrorCode.INPUT_TOO_LARGE, f"{image.path}: {most}")
        if image.is_link or not engine_reads_inline(image.text):
            if id(fetched) not in encoded:  # a link that occurs several times is encoded once
                encoded[id(fetched)] = base64.b64encode(fetched.data).decode()
            image.put(encoded[id(fetched)])
    _move_image_links(content.get("alwayson_scripts"))
    return content


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _move_image_links(scripts: Any) -> None:
    """Move ControlNet's `image_link` to the field that ControlNet reads."""
    for name, script in scripts.items() if isinstance(scripts, dict) else ():
        units = script.get("args") if isinstance(script, dict) and name.lower() == "controlnet" else None
        for unit in units if isinstance(units, list) else ():
            if isinstance(unit, dict) and "image_link" in unit:
                unit["image"] = unit.pop("image_link")
