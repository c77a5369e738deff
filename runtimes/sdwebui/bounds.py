"""How much one task may ask of a GPU, told from its numbers."""

from collections.abc import Iterator
from typing import Any, Final

from domain.errors import Fault
from domain.limits import Limits
from domain.task import TaskType
from runtimes.sdwebui.fields import mismatch
from runtimes.sdwebui.inputs import images

MAX_SIDE: Final = 1 << 16
_SEEDS: Final = (-(1 << 63), (1 << 63) - 1)
_BEYOND: Final = 1 << 70
_MAX_BLUR: Final = 512
"""Web UI's page ends at 64; the filter's kernel is five times as long as this."""
_MAX_RESIZE: Final = 16
_SIDE_BY_DEFAULT: Final = 512
_HR_SCALE_BY_DEFAULT: Final = 2.0
_RESIZE_BY_DEFAULT: Final = 2.0
_PROMPTS: Final = ("prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt")

# What is sampled in one size: the image, the first pass of older callers, and the noise of another size.
_SAMPLED: Final = (
    ("width", "height"),
    ("firstphase_width", "firstphase_height"),
    ("seed_resize_from_w", "seed_resize_from_h"),
)

Bounds = dict[str, tuple[int, int]]


def bounds(tasktype: TaskType, limits: Limits) -> Bounds:
    """Return the least and the greatest value of each bounded field.

    Below the least of the first seven a recorded Web UI answers 500, and that when the task has waited
    (16-steps-0, 16-width-1, 16-batch_size-0, 16-n_iter-0, 16-seed-2^70).
    """
    if not tasktype.generates:
        side = (0, MAX_SIDE)
        return {
            "upscaling_resize": (0, _MAX_RESIZE),
            "upscaling_resize_w": side,
            "upscaling_resize_h": side,
        }
    found: Bounds = {
        "steps": (1, limits.steps),
        "width": (8, MAX_SIDE),
        "height": (8, MAX_SIDE),
        "batch_size": (1, limits.images),
        "n_iter": (1, limits.images),
        "seed": _SEEDS,
        "subseed": _SEEDS,
        "seed_resize_from_w": (-1, MAX_SIDE),
        "seed_resize_from_h": (-1, MAX_SIDE),
    }
    if tasktype is TaskType.TEXT_TO_IMAGE:
        sides = ("firstphase_width", "firstphase_height", "hr_resize_x", "hr_resize_y")
        return found | dict.fromkeys(sides, (0, MAX_SIDE)) | {"hr_second_pass_steps": (0, limits.steps)}
    return found | dict.fromkeys(("mask_blur", "mask_blur_x", "mask_blur_y"), (0, _MAX_BLUR))


def beyond(tasktype: TaskType, content: dict[str, Any], limits: Limits) -> Iterator[Fault]:
    """Yield what is beyond the limits, by JSON pointer; fields of a wrong type are another check's."""
    number = _Numbers(content)
    for name, (low, high) in bounds(tasktype, limits).items():
        value = number(name)
        if value is not None and not low <= value <= high:
            yield Fault(f"/{name}", f"must be from {low} to {high}")
    if tasktype.generates:
        for name in ("width", "height"):
            if name in content and content[name] is None:
                yield Fault(f"/{name}", "an integer is expected, not null")
        yield from _generated(content, number, limits)
    elif number("resize_mode") == 1:
        size = (number("upscaling_resize_w") or 0) * (number("upscaling_resize_h") or 0)
        yield from _too_many_pixels("/upscaling_resize_w", size, limits.upscaled_pixels)
    yield from _inputs(content, limits)


def _generated(content: dict[str, Any], number: "_Numbers", limits: Limits) -> Iterator[Fault]:
    if (number("batch_size") or 1) * (number("n_iter") or 1) > limits.images:
        yield Fault("/n_iter", f"batch_size × n_iter must be at most {limits.images} images")
    if content.get("script_name") and str(content["script_name"]).lower() == "prompt matrix":
        parts = str(content.get("prompt")).count("|")
        if 1 << min(parts, 64) > limits.images:
            yield Fault("/prompt", f"a prompt matrix must be of at most {limits.images} images")
    sizes = [
        (number(wide) or _SIDE_BY_DEFAULT, number(high) or _SIDE_BY_DEFAULT, wide) for wide, high in _SAMPLED
    ]
    for width, height, name in sizes:
        if width > 0 and height > 0:
            yield from _too_many_pixels(f"/{name}", width * height, limits.pixels)
    for prompt in _PROMPTS:
        text = content.get(prompt)
        if isinstance(text, str) and len(text) > limits.prompt_characters:
            yield Fault(f"/{prompt}", f"must have at most {limits.prompt_characters} characters")
    if content.get("enable_hr"):
        width, height, _ = sizes[0]
        # Both sides are scaled alike until the smaller fits; what is too much is cut off afterwards.
        sides = max((number("hr_resize_x") or 0) / width, (number("hr_resize_y") or 0) / height)
        scale = number("hr_scale")
        scale = sides or (_HR_SCALE_BY_DEFAULT if scale is None else scale)
        path = "/hr_resize_x" if sides else "/hr_scale"
        yield from _too_many_pixels(path, width * height * scale * scale, limits.upscaled_pixels)


def _too_many_pixels(path: str, pixels: float, most: int) -> Iterator[Fault]:
    if pixels > most:
        yield Fault(path, f"width × height must be at most {most} pixels")


def _inputs(content: dict[str, Any], limits: Limits) -> Iterator[Fault]:
    for name in ("init_images", "imageList"):
        listed = content.get(name)
        if isinstance(listed, list) and len(listed) > limits.images:
            yield Fault(f"/{name}", f"must be at most {limits.images} images")
    links = [image for image in images(content) if image.is_link]
    if len(links) > limits.links:
        yield Fault(links[limits.links].path, f"a task may name at most {limits.links} links")


def upscaled_too_far(content: dict[str, Any], path: str, pixels: int, limits: Limits) -> bool:
    """Tell whether an extra task would make too many pixels of its input at `path`, which has `pixels`."""
    if path != "/image" and not path.startswith("/imageList/"):
        return False
    number = _Numbers(content)
    if number("resize_mode") == 1:
        return False  # to a size of its own, which is bounded at submit
    scale = number("upscaling_resize")
    scale = _RESIZE_BY_DEFAULT if scale is None else scale
    return pixels * scale * scale > limits.upscaled_pixels


class _Numbers:
    """Read a content's numbers as SD Web UI would; None where there is none."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def __call__(self, name: str) -> float | None:
        value = self._content.get(name)
        if value is None or mismatch("number", value):
            return None
        if mismatch("integer", value):
            return float(value)
        # Seeds are beyond what a float tells apart, and an integer of any length is beyond every float.
        return max(-_BEYOND, min(_BEYOND, int(value)))
