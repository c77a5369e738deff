"""The size of what each node of a workflow gives, as far as its constants tell."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from runtimes.comfyui.workflow import constant, is_link, number, sources_by_order

FACTOR: Final = "scale_by"
REPEATS: Final = ("RepeatLatentBatch", "RepeatImageBatch")
JOINS: Final = ("ImageBatch", "LatentBatch")
PADS: Final = "ImagePadForOutpaint"
STITCHES: Final = "ImageStitch"
CONCATENATES: Final = "LatentConcat"
UPSCALES: Final = "ImageUpscaleWithModel"
GROWS: Final = (PADS, STITCHES, CONCATENATES, UPSCALES)
"""Classes that give a larger image than they take, so that a row of them fills the memory."""

FRAMES: Final = ("length", "frames", "num_frames", "video_frames")
FRAMES_PER_LATENT: Final = 4

_SIDES: Final = (("width", "height"), ("target_width", "target_height"), ("largest_size", "largest_size"))
_IMAGES_WITH_TARGETS: Final = ("ResizeAndPadImage", "ImageScaleToMaxDimension")
_UNKNOWN_SIDE: Final = 1024.0
"""Side of an image from a file, where a node makes it larger."""

_MOST: Final = 2.0**64
"""Larger numbers are cut, so that none becomes infinite."""

_UPSCALE_FACTOR: Final = 2.0
"""What a model is taken to scale by: most scale by 2 or 4, and only their files tell."""


@dataclass(frozen=True, slots=True)
class Size:
    """What one node gives: sides of an image, how many, and of how many latents each is (of a video).

    The sides are 0 if they are not known.
    """

    width: float = 0.0
    height: float = 0.0
    images: float = 1.0
    frames: float = 1.0

    @property
    def pixels(self) -> float:
        """Return width × height."""
        return self.width * self.height


def sizes(prompt: dict[str, Any]) -> dict[str, Size]:
    """Return what each node gives, from those before it; nodes of a circle are left out."""
    found: dict[str, Size] = {}
    for node in sources_by_order(prompt):
        inputs, class_type = prompt[node]["inputs"], prompt[node]["class_type"]
        # One for each link: a node can take the same image twice.
        given = {name: found[link[0]] for name, link in inputs.items() if is_link(link) and link[0] in found}
        images = max((one.images for one in given.values()), default=1.0)
        if class_type in JOINS:
            images = sum(one.images for one in given.values()) or 1.0
        images = max(images, number(prompt, inputs.get("batch_size")) or 1.0)
        if class_type in REPEATS:
            images *= max(1.0, number(prompt, inputs.get("amount")) or 1.0)
        images = min(images, _MOST)
        frames = max(_frames(prompt, node), *(one.frames for one in given.values()), 1.0)
        sides = own_sides(prompt, node)
        largest = max(given.values(), key=lambda one: one.pixels, default=Size())
        width, height = (sides[0][1], sides[1][1]) if sides else (largest.width, largest.height)
        found[node] = _grown(prompt, node, Size(width, height, images, frames), given)
    return found


def own_sides(prompt: dict[str, Any], node: str) -> tuple[tuple[str, float], tuple[str, float]] | None:
    """Return the inputs that tell the sides of a node's image, with their values."""
    inputs, class_type = prompt[node]["inputs"], prompt[node]["class_type"]
    for names in _SIDES[1:] if class_type in _IMAGES_WITH_TARGETS else _SIDES[:1]:
        width, height = (number(prompt, inputs.get(name)) for name in names)
        if width is not None and height is not None:
            return (names[0], width), (names[1], height)
    return None


def _grown(prompt: dict[str, Any], node: str, size: Size, given: Mapping[str, Size]) -> Size:
    """Return the size after what the node adds to it."""
    inputs, class_type = prompt[node]["inputs"], prompt[node]["class_type"]
    factor = number(prompt, inputs.get(FACTOR)) or 1.0
    if class_type not in GROWS and factor <= 1.0:
        return replace(size, width=size.width * factor, height=size.height * factor)
    size = _known(size)
    if class_type == UPSCALES:
        factor *= _UPSCALE_FACTOR
    width, height, frames = size.width * factor, size.height * factor, size.frames
    if class_type == PADS:
        width += sum(number(prompt, inputs.get(name)) or 0.0 for name in ("left", "right"))
        height += sum(number(prompt, inputs.get(name)) or 0.0 for name in ("top", "bottom"))
    elif class_type == STITCHES:
        width, height = _stitched(prompt, node, [_known(one) for one in given.values()])
    elif class_type == CONCATENATES:
        axis = str(constant(prompt, inputs.get("dim"))).removeprefix("-")
        joined = [_known(one) for one in given.values()]
        # An axis that is not known may be any.
        width = sum(one.width for one in joined) if axis not in ("y", "t") else width
        height = sum(one.height for one in joined) if axis not in ("x", "t") else height
        frames = sum(one.frames for one in joined) if axis not in ("x", "y") else frames
    return replace(size, width=min(width, _MOST), height=min(height, _MOST), frames=min(frames, _MOST))


def _stitched(prompt: dict[str, Any], node: str, given: list[Size]) -> tuple[float, float]:
    """Return the sides of images side by side; the second can be scaled to the side that they share."""
    inputs = prompt[node]["inputs"]
    beside = constant(prompt, inputs.get("direction")) not in ("up", "down")
    along = [(one.width, one.height) if beside else (one.height, one.width) for one in given]
    length, across = along[0] if along else (_UNKNOWN_SIDE, _UNKNOWN_SIDE)
    for one_length, one_across in along[1:]:
        if constant(prompt, inputs.get("match_image_size")) is False:
            length, across = length + one_length, max(across, one_across)
        else:
            length += one_length * across / one_across
    length += number(prompt, inputs.get("spacing_width")) or 0.0
    return (length, across) if beside else (across, length)


def _known(size: Size) -> Size:
    return size if size.pixels else replace(size, width=_UNKNOWN_SIDE, height=_UNKNOWN_SIDE)


def _frames(prompt: dict[str, Any], node: str) -> float:
    """Return how many latents the frames are that a node makes; 1 for a still image."""
    inputs = prompt[node]["inputs"]
    lengths = [number(prompt, inputs.get(name)) or 0.0 for name in FRAMES]
    return max(1.0, max(lengths) / FRAMES_PER_LATENT) if own_sides(prompt, node) is not None else 1.0
