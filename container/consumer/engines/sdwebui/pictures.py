"""Decide which of the images that SD Web UI returned are pictures, and what the others are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from container.consumer.engines.base import PICTURE, Json

GRID: Final = "grid"
MAP: Final = "map"
MASK: Final = "mask"

FORMATS_WITH_INFOTEXT: Final = frozenset({"PNG", "JPEG", "WEBP"})
"""Formats that SD Web UI writes infotexts to; an animation is a picture without one."""

_MASKS: Final = ("return_mask", "return_mask_composite")
"""Settings that add one more image each after every picture."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A returned image."""

    encoded: str
    infotext: str | None
    """The infotext inside the image."""
    may_have_text: bool
    """Whether SD Web UI writes infotexts to images of this format."""


def classify_images(images: Sequence[Returned], content: Json, info: Json) -> tuple[list[str], bool]:
    """Return the kind of each image, and whether the decision is uncertain.

    A picture has an infotext; a script's grid, masks and ControlNet's maps have none, and
    `index_of_first_image` does not count loopback's grid. Pictures that a script assembles (SD upscale) have
    none either. If no image has an infotext, or fewer than `info` has texts, the order decides.
    """
    first, masks = first_picture(info), _masks(content)
    with_text = {i for i, one in enumerate(images) if i >= first and (one.infotext or not one.may_have_text)}
    if content.get("script_name"):
        pictures = with_text or set(range(first, len(images)))
        uncertain = not with_text and len(pictures) > 1
    else:
        texts = info.get("infotexts")
        expected = max(len(texts) - first, 0) if isinstance(texts, list) else len(images)
        in_order = range(first, len(images), masks + 1)[:expected]
        pictures = with_text if len(with_text) >= expected else with_text | set(in_order)
        uncertain = len(with_text) < expected and first + len(pictures) < len(images)
    return list(_kinds(len(images), pictures, masks)), uncertain


def first_picture(info: Json) -> int:
    """Return the index of the first picture according to SD Web UI."""
    index = info.get("index_of_first_image")
    return index if isinstance(index, int) and index > 0 else 0


def _kinds(count: int, pictures: set[int], masks: int) -> Iterator[str]:
    """Yield the kind of each image: grids before the pictures, masks after each picture, maps at the end."""
    behind: int | None = None
    for index in range(count):
        if index in pictures:
            behind = 0
            yield PICTURE
        elif behind is None:
            yield GRID
        else:
            behind += 1
            yield MASK if behind <= masks else MAP


def _masks(content: Json) -> int:
    """Return how many masks follow each picture."""
    if not content.get("mask"):
        return 0
    scripts = content.get("alwayson_scripts")
    routed = scripts.get("override_settings") if isinstance(scripts, dict) else None
    settings = [value for value in (content.get("override_settings"), routed) if isinstance(value, dict)]
    return sum(any(value.get(name) for value in settings) for name in _MASKS)
