"""Check the numbers of a task against the limits on how much work one task may be."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from domain.errors import Fault
from domain.limits import Limits
from runtimes.sdwebui.inputs import image_fields
from runtimes.sdwebui.numbers import SIDE_BY_DEFAULT, Numbers
from runtimes.sdwebui.prompts import prompt_faults
from runtimes.sdwebui.script_sizes import script_size_faults
from runtimes.sdwebui.task_type import TaskType
from runtimes.sdwebui.work import sampling_work

MAX_SIDE: Final = 1 << 16
_SEEDS: Final = (-(1 << 63), (1 << 64) - 1)
"""The range that torch accepts."""

_MAX_BLUR: Final = 512
"""The slider of Web UI's page ends at 64; the kernel of the filter is five times this size."""
_MAX_RESIZE: Final = 16

# Pairs of sizes that are sampled: the image, the first pass of older callers, and the noise of another size.
_SAMPLED_SIZES: Final = (
    ("width", "height"),
    ("firstphase_width", "firstphase_height"),
    ("seed_resize_from_w", "seed_resize_from_h"),
)

_FRACTION_FIELDS: Final = (
    "gfpgan_visibility",
    "codeformer_visibility",
    "codeformer_weight",
    "extras_upscaler_2_visibility",
)

_IN_SCRIPTS: Final = ("/alwayson_scripts/", "/script_args/")

Bounds = dict[str, tuple[int, int]]

_CHOICES: Final[Bounds] = {"resize_mode": (0, 3), "inpainting_fill": (0, 3), "inpainting_mask_invert": (0, 1)}
"""Fields of image-to-image that are choices: SD Web UI silently treats any other number as one of these."""


def bounds(tasktype: TaskType, limits: Limits) -> Bounds:
    """Return the minimum and maximum of each bounded field.

    A recorded Web UI responds 500 to values below the minimum of the first seven, and only after the task has
    waited (16-steps-0, 16-width-1, 16-batch_size-0, 16-n_iter-0, 16-seed-2^70).
    """
    if not tasktype.generates:
        side = (1, MAX_SIDE)
        return {
            "resize_mode": (0, 1),
            "upscaling_resize": (0, _MAX_RESIZE),
            "upscaling_resize_w": side,
            "upscaling_resize_h": side,
        } | dict.fromkeys(_FRACTION_FIELDS, (0, 1))
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
        "denoising_strength": (0, 1),
    }
    if tasktype is TaskType.TEXT_TO_IMAGE:
        sides = ("firstphase_width", "firstphase_height", "hr_resize_x", "hr_resize_y")
        return found | dict.fromkeys(sides, (0, MAX_SIDE)) | {"hr_second_pass_steps": (0, limits.steps)}
    return found | _CHOICES | dict.fromkeys(("mask_blur", "mask_blur_x", "mask_blur_y"), (0, _MAX_BLUR))


def limit_faults(tasktype: TaskType, content: dict[str, Any], limits: Limits) -> Iterator[Fault]:
    """Yield a fault for each value beyond the limits; fields of a wrong type are checked elsewhere."""
    number = Numbers(content)
    for name, (low, high) in bounds(tasktype, limits).items():
        value = number(name)
        if value is not None and not low <= value <= high:
            yield Fault(f"/{name}", f"must be from {low} to {high}")
    if tasktype.generates:
        for name in ("width", "height"):
            if name in content and content[name] is None:
                yield Fault(f"/{name}", "an integer is expected, not null")
        yield from _generation_faults(tasktype, content, number, limits)
    elif number("upscaling_resize") == 0:
        yield Fault("/upscaling_resize", "must be more than 0")
    elif number("resize_mode") == 1:
        size = (number("upscaling_resize_w") or 0) * (number("upscaling_resize_h") or 0)
        yield from _too_many_pixels("/upscaling_resize_w", size, limits.upscaled_pixels)
    yield from _input_faults(content, limits)


def _generation_faults(
    tasktype: TaskType, content: dict[str, Any], number: Numbers, limits: Limits
) -> Iterator[Fault]:
    size_faults = [*_size_faults(number, _seed_delta(content), limits), *script_size_faults(content, limits)]
    yield from size_faults
    yield from prompt_faults(content, limits)
    if not size_faults and (requested_work := sampling_work(tasktype, content)) > limits.work:
        yield Fault(
            "/steps",
            f"steps × width × height × images, with hires fix and scripts, must be at most {limits.work}; "
            f"this task needs {requested_work:.0f}",
        )


def _size_faults(number: Numbers, delta: int, limits: Limits) -> Iterator[Fault]:
    if number.images > limits.images:
        yield Fault("/n_iter", f"batch_size × n_iter must be at most {limits.images} images")
    image_fields = int(number.images) if 1 <= number.images <= limits.images else 1
    for name in ("seed", "subseed"):  # each further image has the next seed
        first, last = number(name) or 0, _SEEDS[1] - image_fields + 1 - delta
        if last < first <= _SEEDS[1]:
            yield Fault(f"/{name}", f"must be at most {last} for this number of images")
    for wide, high in _SAMPLED_SIZES:
        width, height = number(wide) or SIDE_BY_DEFAULT, number(high) or SIDE_BY_DEFAULT
        if width > 0 and height > 0:
            yield from _too_many_pixels(f"/{wide}", width * height, limits.pixels)
    width, height = number.size
    if scale := number.hires_scale:
        path = "/hr_resize_x" if number("hr_resize_x") or number("hr_resize_y") else "/hr_scale"
        yield from _too_many_pixels(path, width * height * scale * scale, limits.upscaled_pixels)


def _seed_delta(content: dict[str, Any]) -> int:
    """Return the number that SD Web UI adds to seeds when it makes noise."""
    settings = content.get("override_settings")
    delta = settings.get("eta_noise_seed_delta") if isinstance(settings, dict) else 0
    return max(0, delta) if isinstance(delta, int) else 0


def _too_many_pixels(path: str, pixels: float, most: int) -> Iterator[Fault]:
    if pixels > most:
        yield Fault(path, f"width × height must be at most {most} pixels")


def _input_faults(content: dict[str, Any], limits: Limits) -> Iterator[Fault]:
    for name in ("init_images", "imageList"):
        listed = content.get(name)
        if isinstance(listed, list) and len(listed) > limits.images:
            yield Fault(f"/{name}", f"must be at most {limits.images} images")
    # Taken one at a time, because a list of all paths could take hundreds of MiB.
    links = (image for image in image_fields(content) if image.is_link)
    excess_link = next(islice(links, limits.links, None), None)
    if excess_link is not None:
        yield Fault(excess_link.path, f"a task may contain at most {limits.links} links")
    in_scripts = (image for image in image_fields(content) if image.path.startswith(_IN_SCRIPTS))
    excess_image = next(islice(in_scripts, limits.images, None), None)
    if excess_image is not None:
        yield Fault(excess_image.path, f"the scripts of a task may contain at most {limits.images} images")
