"""Compute what the arguments of known scripts add: more images, more passes, other sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault
from domain.limits import Limits
from runtimes.sdwebui.numbers import Numbers, number

MAX_SCALE: Final = 16
"""The same as the maximum of extras tasks."""

MAX_DETECTOR_SIDE: Final = 2048
"""The maximum of ControlNet's own slider."""

DEFAULT_DETECTOR_SIDE: Final = 512

_SD_UPSCALE_OVERLAP, _SD_UPSCALE_SCALE = 1, 3
_ULTIMATE_TARGET: Final = 14
_ULTIMATE_WIDTH, _ULTIMATE_HEIGHT, _ULTIMATE_SCALE = 15, 16, 17
_NUMBERS: Final = {
    "loopback": (0,),
    "sd upscale": (_SD_UPSCALE_OVERLAP, _SD_UPSCALE_SCALE),
    "ultimate sd upscale": (_ULTIMATE_TARGET, _ULTIMATE_WIDTH, _ULTIMATE_HEIGHT, _ULTIMATE_SCALE),
}
"""The arguments of each script that determine its limits."""

_CUSTOM_SIZE, _CUSTOM_SCALE = 1, 2
_MATRIX_PROMPT: Final = 2
_DETAILER_STEPS, _DETAILER_SIDE = 28, 512


@dataclass(frozen=True, slots=True)
class Target:
    """How much a script enlarges the first image: by `scale`, or to a size."""

    path: str
    scale: float | None = None
    width: float = 0
    height: float = 0


def script_units(content: dict[str, Any], script: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object among the arguments of an always-on script, with its JSON pointer."""
    scripts = content.get("alwayson_scripts")
    for name, entry in scripts.items() if isinstance(scripts, dict) else ():
        arguments = entry.get("args") if isinstance(entry, dict) and name.lower() == script else None
        for index, unit in enumerate(arguments if isinstance(arguments, list) else ()):
            if isinstance(unit, dict):
                yield f"/alwayson_scripts/{pointer(name)}/args/{index}", unit


def script_upscaling(content: dict[str, Any]) -> Target | None:
    """Return how much the script of an image-to-image task enlarges its image."""
    script = str(content.get("script_name") or "").lower()
    if script == "sd upscale":
        return Target(f"/script_args/{_SD_UPSCALE_SCALE}", scale=_number_argument(content, _SD_UPSCALE_SCALE))
    if script == "ultimate sd upscale":
        target = _number_argument(content, _ULTIMATE_TARGET)
        if target == _CUSTOM_SCALE:
            return Target(f"/script_args/{_ULTIMATE_SCALE}", scale=_number_argument(content, _ULTIMATE_SCALE))
        if target == _CUSTOM_SIZE:
            width = _number_argument(content, _ULTIMATE_WIDTH) or 0
            height = _number_argument(content, _ULTIMATE_HEIGHT) or 0
            return Target(f"/script_args/{_ULTIMATE_WIDTH}", width=width, height=height)
    return None


def script_repetitions(content: dict[str, Any]) -> float:
    """Return how often a script repeats the rest of the task."""
    script = str(content.get("script_name") or "").lower()
    if script == "prompt matrix":
        return float(1 << min(str(content.get(_matrix_prompt(content))).count("|"), 64))
    if script == "loopback":
        return max(1.0, _number_argument(content, 0) or 1)
    return 1


def _matrix_prompt(content: dict[str, Any]) -> str:
    """Return the prompt (positive or negative) whose bars a prompt matrix splits."""
    arguments = content.get("script_args")
    kind = (
        arguments[_MATRIX_PROMPT] if isinstance(arguments, list) and len(arguments) > _MATRIX_PROMPT else ""
    )
    return "negative_prompt" if kind == "negative" else "prompt"


def script_sampling_work(content: dict[str, Any], *, steps: float, width: float, height: float) -> float:
    """Return the steps × pixels that scripts sample in addition to each image."""
    work = 0.0
    for _, unit in script_units(content, "adetailer"):
        unit_number = Numbers(unit)
        if unit.get("ad_use_inpaint_width_height"):
            pixels = (unit_number("ad_inpaint_width") or _DETAILER_SIDE) * (
                unit_number("ad_inpaint_height") or _DETAILER_SIDE
            )
        else:
            pixels = width * height
        unit_steps = (unit_number("ad_steps") or _DETAILER_STEPS) if unit.get("ad_use_steps") else steps
        work += unit_steps * pixels
    target = script_upscaling(content)
    if target is not None and target.scale is None:
        work += steps * target.width * target.height
    elif target is not None:
        work += steps * width * height * (target.scale or 1) * (target.scale or 1)
    return work


def script_size_faults(content: dict[str, Any], limits: Limits) -> Iterator[Fault]:
    """Yield faults for sizes that scripts may not ask for; the consumer checks the image itself too."""
    yield from _number_faults(content)
    target = script_upscaling(content)
    if target is not None and target.scale is not None and not 0 < target.scale <= MAX_SCALE:
        yield Fault(target.path, f"must be more than 0 and at most {MAX_SCALE}")
    if target is not None and target.width * target.height > limits.upscaled_pixels:
        yield Fault(target.path, f"width × height must be at most {limits.upscaled_pixels} pixels")
    yield from _overlap_faults(content)
    if script_repetitions(content) * Numbers(content).images > limits.images:
        is_loopback = str(content.get("script_name")).lower() == "loopback"
        path = "/script_args/0" if is_loopback else f"/{_matrix_prompt(content)}"
        yield Fault(path, f"the script must make at most {limits.images} images")
    for path, unit in script_units(content, "controlnet"):
        side = number(unit.get("processor_res"))
        if side is not None and side > MAX_DETECTOR_SIDE:
            yield Fault(f"{path}/processor_res", f"must be at most {MAX_DETECTOR_SIDE}")
    for path, unit in script_units(content, "adetailer"):
        unit_number = Numbers(unit)
        if (unit_number("ad_inpaint_width") or 1) * (unit_number("ad_inpaint_height") or 1) > limits.pixels:
            yield Fault(f"{path}/ad_inpaint_width", f"width × height must be at most {limits.pixels} pixels")
        if (unit_number("ad_steps") or 1) > limits.steps:
            yield Fault(f"{path}/ad_steps", f"must be at most {limits.steps}")


def _overlap_faults(content: dict[str, Any]) -> Iterator[Fault]:
    """Refuse tiles of SD upscale that overlap by more than half, because there could be millions of them."""
    overlap = _number_argument(content, _SD_UPSCALE_OVERLAP)
    if str(content.get("script_name") or "").lower() != "sd upscale" or overlap is None:
        return
    if not 0 <= overlap <= min(Numbers(content).size) / 2:
        path = f"/script_args/{_SD_UPSCALE_OVERLAP}"
        yield Fault(path, "the overlap of tiles must be at least 0 and at most half of width and height")


def _number_faults(content: dict[str, Any]) -> Iterator[Fault]:
    """Yield a fault for each number of a script with another type: SD Web UI would read it as some number."""
    arguments = content.get("script_args")
    script = str(content.get("script_name") or "").lower()
    if not isinstance(arguments, list):
        return
    for index in _NUMBERS.get(script, ()):
        if index < len(arguments) and arguments[index] is not None and number(arguments[index]) is None:
            yield Fault(f"/script_args/{index}", "a number is expected")


def _number_argument(content: dict[str, Any], index: int) -> float | None:
    """Return a positional argument that is a number."""
    arguments = content.get("script_args")
    if not isinstance(arguments, list) or index >= len(arguments):
        return None
    return number(arguments[index])
