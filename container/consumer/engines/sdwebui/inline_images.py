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


def replace_links(
    content: dict[str, Any], inputs: Mapping[str, Fetched], limits: Limits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Return a copy of the content with links replaced by the `inputs` at their JSON pointers.

    Raise PermanentError if an upscaler would make an image too large. Inline images that SD Web UI can read
    stay unchanged.
    """
    content = _copy_containers(content)
    encoded_by_id: dict[int, str] = {}
    for image in list(image_fields(content)):
        fetched = inputs[image.path]
        if exceeds_upscaling_limit(content, image.path, fetched.file_type.size, limits):
            text = f"{image.path}: {limits.upscaled_pixels:,} pixels are allowed after the upscaler."
            raise PermanentError(ErrorCode.INPUT_TOO_LARGE, text)
        if image.is_link or not engine_reads_inline(image.text):
            if id(fetched) not in encoded_by_id:  # a link that occurs several times is encoded once
                encoded_by_id[id(fetched)] = base64.b64encode(fetched.data).decode()
            image.put(encoded_by_id[id(fetched)])
    _rename_image_links(content.get("alwayson_scripts"))
    return content


def _copy_containers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy_containers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy_containers(item) for item in value]
    return value


def _rename_image_links(scripts: Any) -> None:
    """Rename `image_link` in ControlNet's units, which only this API knows, to `image`."""
    for name, script in scripts.items() if isinstance(scripts, dict) else ():
        units = script.get("args") if isinstance(script, dict) and name.lower() == "controlnet" else None
        for unit in units if isinstance(units, list) else ():
            if isinstance(unit, dict) and "image_link" in unit:
                unit["image"] = unit.pop("image_link")
