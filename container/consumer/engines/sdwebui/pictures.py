"""Decide which of the images that SD Web UI returned are pictures, and what the others are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from container.consumer.engines.base import PICTURE, Json

GRID: Final = "grid"
"""All pictures of a job side by side."""
MAP: Final = "map"
"""What a ControlNet preprocessor made of its input."""
MASK: Final = "mask"

FORMATS_WITH_INFOTEXT: Final = frozenset({"PNG", "JPEG", "WEBP"})
"""Formats that SD Web UI writes infotexts to; an animation is a picture without one."""

_MASK_SETTINGS: Final = ("return_mask", "return_mask_composite")
"""Settings that each add one more image after every picture."""


@dataclass(frozen=True, slots=True)
class ReturnedImage:
    """An image in SD Web UI's response."""

    encoded: str
    """The file in base64."""
    infotext: str | None
    """The infotext (prompts, seed, settings) inside the file, if there is one."""
    may_have_infotext: bool
    """Whether SD Web UI writes infotexts to images of this format."""


def classify_images(images: Sequence[ReturnedImage], content: Json, info: Json) -> tuple[list[str], bool]:
    """Return the kind of each image, and whether the decision is uncertain.

    A picture has an infotext; a script's grid, masks and ControlNet's maps have none, and
    `index_of_first_image` does not count loopback's grid. Pictures that a script assembles (SD upscale) have
    none either. If no image has an infotext, or fewer than `info` has texts, the order decides.
    """
    first, mask_count = index_of_first_picture(info), _masks_per_picture(content)
    with_infotext = {
        index
        for index, image in enumerate(images)
        if index >= first and (image.infotext or not image.may_have_infotext)
    }
    if content.get("script_name"):
        pictures = with_infotext or set(range(first, len(images)))
        is_uncertain = not with_infotext and len(pictures) > 1
    else:
        infotexts = info.get("infotexts")
        expected_count = max(len(infotexts) - first, 0) if isinstance(infotexts, list) else len(images)
        in_order = range(first, len(images), mask_count + 1)[:expected_count]
        has_enough = len(with_infotext) >= expected_count
        pictures = with_infotext if has_enough else with_infotext | set(in_order)
        is_uncertain = not has_enough and first + len(pictures) < len(images)
    return list(_kinds(len(images), pictures, mask_count)), is_uncertain


def index_of_first_picture(info: Json) -> int:
    """Return the index of the first picture according to SD Web UI."""
    index = info.get("index_of_first_image")
    return index if isinstance(index, int) and index > 0 else 0


def _kinds(count: int, pictures: set[int], mask_count: int) -> Iterator[str]:
    """Yield the kind of each image: grids before the pictures, masks after each picture, maps at the end."""
    images_since_picture: int | None = None
    for index in range(count):
        if index in pictures:
            images_since_picture = 0
            yield PICTURE
        elif images_since_picture is None:
            yield GRID
        else:
            images_since_picture += 1
            yield MASK if images_since_picture <= mask_count else MAP


def _masks_per_picture(content: Json) -> int:
    if not content.get("mask"):
        return 0
    scripts = content.get("alwayson_scripts")
    among_scripts = scripts.get("override_settings") if isinstance(scripts, dict) else None
    both = (content.get("override_settings"), among_scripts)
    all_settings = [settings for settings in both if isinstance(settings, dict)]
    return sum(any(settings.get(name) for settings in all_settings) for name in _MASK_SETTINGS)
