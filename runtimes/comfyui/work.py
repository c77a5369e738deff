"""How much a workflow computes, as far as its constants tell, and what of it is beyond the limits."""

from collections.abc import Iterator
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault
from domain.limits import Limits
from runtimes.comfyui.growth import growth_faults
from runtimes.comfyui.sizes import (
    CONCATENATES,
    FACTOR,
    FRAMES,
    FRAMES_PER_LATENT,
    GROWS,
    JOINS,
    REPEATS,
    Size,
    own_sides,
    sizes,
)
from runtimes.comfyui.steps import sampled_steps
from runtimes.comfyui.workflow import number

_SIDE_BY_DEFAULT: Final = 512
"""Side of an image whose size is not known, because it comes from a file."""

_SCALES: Final = ("Scale", "Upscale", "Resize")
_STEPS_OF_LEAST_DENOISE: Final = 100
"""ComfyUI computes sigmas for steps / denoise, and its page has no smaller denoise than 0.01."""

_SOUND: Final = "Audio"
_SOUNDS: Final = {"duration": 1000, "seconds": 1000, "sample_rate": 192_000}
"""Inputs of nodes that make a sound, and the most of each; ComfyUI would fill the memory with silence."""


def work(prompt: dict[str, Any]) -> float:
    """Return steps × pixels × images, summed over the nodes that sample."""
    found = sizes(prompt)
    return sum(_computed(found[node], steps) for node, steps in sampled_steps(prompt).items())


def limit_faults(prompt: dict[str, Any], limits: Limits, path: str) -> Iterator[Fault]:
    """Yield what is beyond the limits of a task."""
    total = 0.0
    steps = sampled_steps(prompt)
    for node, size in sizes(prompt).items():
        inputs = prompt[node]["inputs"]
        here = f"{path}/{pointer(node)}/inputs"
        yield from _size_faults(prompt, node, size, limits, f"{path}/{pointer(node)}")
        for name, highest in _highest(prompt[node]["class_type"], limits).items():
            given = number(prompt, inputs.get(name))
            if given is not None and given > highest:
                yield Fault(f"{here}/{name}", f"must be at most {highest}")
        most_steps = limits.steps * _STEPS_OF_LEAST_DENOISE
        if _scheduled_steps(prompt, node) > most_steps:
            yield Fault(f"{here}/denoise", f"steps / denoise must be at most {most_steps}, or denoise 0")
        if size.images > limits.images and _adds_images(prompt, node):
            yield Fault(f"{path}/{pointer(node)}", f"a task makes at most {limits.images} images")
        if "steps" not in inputs and steps.get(node, 0.0) > limits.steps:
            yield Fault(f"{path}/{pointer(node)}", f"the sigmas may have at most {limits.steps} steps")
        sampled = _computed(size, steps.get(node, 0.0))
        if total <= limits.work < total + sampled:
            yield Fault(
                f"{path}/{pointer(node)}",
                f"steps × pixels × images of all nodes together must be at most {limits.work}",
            )
        total += sampled
    yield from growth_faults(prompt, limits, path)


def _size_faults(prompt: dict[str, Any], node: str, size: Size, limits: Limits, path: str) -> Iterator[Fault]:
    """Yield why what a node gives is too large."""
    class_type = prompt[node]["class_type"]
    most = limits.upscaled_pixels if any(word in class_type for word in _SCALES) else limits.pixels
    own = own_sides(prompt, node)
    if own is not None and own[0][1] * own[1][1] > most:
        yield Fault(f"{path}/inputs/{own[0][0]}", f"width × height must be at most {most} pixels")
    if FACTOR in prompt[node]["inputs"] and size.pixels > most:
        yield Fault(f"{path}/inputs/{FACTOR}", f"width × height must be at most {most} pixels")
    if class_type in GROWS and size.pixels > limits.upscaled_pixels:
        yield Fault(path, f"width × height of its image may be at most {limits.upscaled_pixels} pixels")
    if class_type == CONCATENATES and size.frames > max(1.0, limits.frames / FRAMES_PER_LATENT):
        yield Fault(path, f"a video has at most {limits.frames} frames")


def _scheduled_steps(prompt: dict[str, Any], node: str) -> float:
    """Return for how many steps ComfyUI computes sigmas, of which it takes the last ones."""
    inputs = prompt[node]["inputs"]
    steps, denoise = (number(prompt, inputs.get(name)) for name in ("steps", "denoise"))
    return steps / denoise if steps and denoise else 0.0


def _highest(class_type: str, limits: Limits) -> dict[str, int]:
    """Return the highest values of inputs of a class that are limited each by itself."""
    sounds = _SOUNDS if _SOUND in class_type else {}
    return {"steps": limits.steps, **dict.fromkeys(FRAMES, limits.frames), **sounds}


def _computed(size: Size, steps: float) -> float:
    return steps * (size.pixels or float(_SIDE_BY_DEFAULT**2)) * size.images * size.frames


def _adds_images(prompt: dict[str, Any], node: str) -> bool:
    return "batch_size" in prompt[node]["inputs"] or prompt[node]["class_type"] in (*REPEATS, *JOINS)
