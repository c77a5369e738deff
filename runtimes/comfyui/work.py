"""How much a workflow computes, as far as its constants tell, and what of it is beyond the limits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault
from domain.limits import Limits
from runtimes.comfyui.steps import sampled_steps
from runtimes.comfyui.workflow import number, sources_by_order

_SIDE_BY_DEFAULT: Final = 512
"""Side of an image whose size is not known, because it comes from a file."""

_SCALES: Final = ("Scale", "Upscale", "Resize")
_FACTOR: Final = "scale_by"
_REPEATS: Final = ("RepeatLatentBatch", "RepeatImageBatch")
_JOINS: Final = ("ImageBatch", "LatentBatch")
_FRAMES: Final = ("length", "frames", "num_frames", "video_frames")
_FRAMES_PER_LATENT: Final = 4
_SOUND: Final = "Audio"
_SOUNDS: Final = {"duration": 1000, "seconds": 1000, "sample_rate": 192_000}
"""Inputs of nodes that make a sound, and the most of each; ComfyUI would fill the memory with silence."""


@dataclass(frozen=True, slots=True)
class _Size:
    """What one node gives: pixels of an image, how many, and of how many latents each is (of a video)."""

    pixels: float
    images: float
    frames: float


def work(prompt: dict[str, Any]) -> float:
    """Return steps × pixels × images, summed over the nodes that sample."""
    sizes = _sizes(prompt)
    return sum(_computed(sizes[node], steps) for node, steps in sampled_steps(prompt).items())


def limit_faults(prompt: dict[str, Any], limits: Limits, path: str) -> Iterator[Fault]:
    """Yield what is beyond the limits of a task."""
    total = 0.0
    steps = sampled_steps(prompt)
    for node, size in _sizes(prompt).items():
        inputs = prompt[node]["inputs"]
        here = f"{path}/{pointer(node)}/inputs"
        scaled = any(word in prompt[node]["class_type"] for word in _SCALES)
        most = limits.upscaled_pixels if scaled else limits.pixels
        own = _own_pixels(prompt, node)
        if own is not None and own > most:
            yield Fault(f"{here}/width", f"width × height must be at most {most} pixels")
        if _FACTOR in inputs and size.pixels > most:
            yield Fault(f"{here}/{_FACTOR}", f"width × height must be at most {most} pixels")
        for name, highest in _highest(prompt[node]["class_type"], limits).items():
            given = number(prompt, inputs.get(name))
            if given is not None and given > highest:
                yield Fault(f"{here}/{name}", f"must be at most {highest}")
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


def _highest(class_type: str, limits: Limits) -> dict[str, int]:
    """Return the highest values of inputs of a class that are limited each by itself."""
    sounds = _SOUNDS if _SOUND in class_type else {}
    return {"steps": limits.steps, **dict.fromkeys(_FRAMES, limits.frames), **sounds}


def _sizes(prompt: dict[str, Any]) -> dict[str, _Size]:
    """Return what each node gives, from those before it; nodes of a circle are left out."""
    found: dict[str, _Size] = {}
    for node, needed in sources_by_order(prompt).items():
        inputs, class_type = prompt[node]["inputs"], prompt[node]["class_type"]
        given = [found[one] for one in needed]
        images = max((one.images for one in given), default=1.0)
        if class_type in _JOINS:
            images = sum(one.images for one in given) or 1.0
        images = max(images, number(prompt, inputs.get("batch_size")) or 1.0)
        if class_type in _REPEATS:
            images *= max(1.0, number(prompt, inputs.get("amount")) or 1.0)
        own = _own_pixels(prompt, node)
        pixels = own if own is not None else max((one.pixels for one in given), default=0.0)
        pixels *= (number(prompt, inputs.get(_FACTOR)) or 1.0) ** 2
        frames = max(_frames(prompt, node), *(one.frames for one in given), 1.0)
        found[node] = _Size(pixels, images, frames)
    return found


def _computed(size: _Size, steps: float) -> float:
    return steps * (size.pixels or float(_SIDE_BY_DEFAULT**2)) * size.images * size.frames


def _frames(prompt: dict[str, Any], node: str) -> float:
    """Return how many latents the frames are that a node makes; 1 for a still image."""
    inputs = prompt[node]["inputs"]
    lengths = [number(prompt, inputs.get(name)) or 0.0 for name in _FRAMES]
    return max(1.0, max(lengths) / _FRAMES_PER_LATENT) if _own_pixels(prompt, node) is not None else 1.0


def _own_pixels(prompt: dict[str, Any], node: str) -> float | None:
    inputs = prompt[node]["inputs"]
    width, height = (number(prompt, inputs.get(name)) for name in ("width", "height"))
    return width * height if width is not None and height is not None else None


def _adds_images(prompt: dict[str, Any], node: str) -> bool:
    return "batch_size" in prompt[node]["inputs"] or prompt[node]["class_type"] in (*_REPEATS, *_JOINS)
