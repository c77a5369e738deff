"""Compute how large SD Web UI makes an image on the way, which depends on the sides of the input."""

from typing import Any, Final

from domain.limits import Limits
from runtimes.sdwebui.numbers import RESIZE_BY_DEFAULT, Numbers, number
from runtimes.sdwebui.script_sizes import DEFAULT_DETECTOR_SIDE, script_units, script_upscaling

_TO_SIZE: Final = 1
"""`resize_mode` of extras tasks that scales to a size, and of image-to-image that fills a size and cuts the
rest."""


def exceeds_upscaling_limit(
    content: dict[str, Any], path: str, size: tuple[int, int], limits: Limits
) -> bool:
    """Return whether the image at `path`, of `size`, would become too large, even if it is cut down later.

    `content` must be normalized.
    """
    width, height = size
    if min(width, height) < 1:
        return False
    scale = _scale(content, path, width, height)
    return width * height * scale * scale > limits.upscaled_pixels


def _scale(content: dict[str, Any], path: str, width: int, height: int) -> float:
    top = path.split("/")[1]
    if top in ("image", "imageList"):
        return _extras_scale(content, width, height)
    if top in ("init_images", "mask"):
        return max(_resize_scale(content, width, height), _script_scale(content, width, height))
    if top == "alwayson_scripts":
        return _unit_scale(content, path, width, height)
    return 1


def _extras_scale(content: dict[str, Any], width: int, height: int) -> float:
    """Return the scale of an extras task: the same for both sides, until the smaller one fits, cut or not."""
    number_of = Numbers(content)
    if number_of("resize_mode") == _TO_SIZE:
        return max(
            (number_of("upscaling_resize_w") or 0) / width, (number_of("upscaling_resize_h") or 0) / height
        )
    scale = number_of("upscaling_resize")
    return RESIZE_BY_DEFAULT if scale is None else scale


def _resize_scale(content: dict[str, Any], width: int, height: int) -> float:
    """Return the scale to the size of an image-to-image task, which the smaller side determines."""
    number_of = Numbers(content)
    if number_of("resize_mode") != _TO_SIZE and not _upscales_input(content):
        return 1
    target = number_of.size
    return max(target[0] / width, target[1] / height)


def _upscales_input(content: dict[str, Any]) -> bool:
    scripts = content.get("alwayson_scripts")
    holders = (content, scripts if isinstance(scripts, dict) else {})
    settings = (holder.get("override_settings") for holder in holders)
    return any(
        isinstance(overrides, dict) and overrides.get("upscaler_for_img2img") not in (None, "", "None")
        for overrides in settings
    )


def _script_scale(content: dict[str, Any], width: int, height: int) -> float:
    target = script_upscaling(content)
    if target is None:
        return 1
    if target.scale is not None:
        return target.scale
    # Ultimate SD upscale scales by the longer sides, and brings the result to the requested size afterwards.
    return max(target.width, target.height) / max(width, height)


def _unit_scale(content: dict[str, Any], path: str, width: int, height: int) -> float:
    """Return the scale of a ControlNet unit's image: to the preprocessor's side, then over the picture."""
    for unit_path, unit in script_units(content, "controlnet"):
        if not path.startswith(f"{unit_path}/"):
            continue
        side = number(unit.get("processor_res")) or 0
        number_of = Numbers(content)
        wide, high = number_of.size
        hires = max(1.0, number_of.hires_scale)
        detector = (side if side > 0 else DEFAULT_DETECTOR_SIDE) / min(width, height)
        return max(detector, wide * hires / width, high * hires / height)
    return 1
