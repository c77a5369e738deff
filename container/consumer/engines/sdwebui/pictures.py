"""Which of the images that SD Web UI returned are pictures, and what the others are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from container.consumer.engines.base import PICTURE, Json

GRID: Final = "grid"
MAP: Final = "map"
MASK: Final = "mask"

TEXTED: Final = frozenset({"PNG", "JPEG", "WEBP"})
"""Formats that Web UI writes infotexts into; an animation is a picture without one."""

_MASKS: Final = ("return_mask", "return_mask_composite")
"""Settings that put one more image each behind every picture."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Hold one image as it came."""

    encoded: str
    infotext: str | None
    """As the image itself carries it."""
    texted: bool
    """Whether its format is one that Web UI writes infotexts into."""


def tell_apart(images: Sequence[Returned], content: Json, info: Json) -> tuple[list[str], bool]:
    """Return the kind of each image, and whether that is unsure.

    A picture carries its infotext; a script's grid, masks and ControlNet's maps carry none, and of loopback's
    grid `index_of_first_image` says nothing. What a script pastes together (SD upscale) carries none either:
    where none does, or fewer than `info` has texts, the order decides.
    """
    first, masks = first_picture(info), _masks(content)
    carrying = {i for i, one in enumerate(images) if i >= first and (one.infotext or not one.texted)}
    if content.get("script_name"):
        pictures = carrying or set(range(first, len(images)))
        unsure = not carrying and len(pictures) > 1
    else:
        texts = info.get("infotexts")
        told = max(len(texts) - first, 0) if isinstance(texts, list) else len(images)
        in_order = range(first, len(images), masks + 1)[:told]
        pictures = carrying if len(carrying) >= told else carrying | set(in_order)
        unsure = len(carrying) < told and first + len(pictures) < len(images)
    return list(_kinds(len(images), pictures, masks)), unsure


def first_picture(info: Json) -> int:
    """Return where the pictures begin, as far as Web UI says."""
    index = info.get("index_of_first_image")
    return index if isinstance(index, int) and index > 0 else 0


def _kinds(count: int, pictures: set[int], masks: int) -> Iterator[str]:
    """Yield what each image is: grids come before the pictures, masks behind each, maps at the end."""
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
    """Return how many masks come behind each picture."""
    if not content.get("mask"):
        return 0
    scripts = content.get("alwayson_scripts")
    routed = scripts.get("override_settings") if isinstance(scripts, dict) else None
    settings = [value for value in (content.get("override_settings"), routed) if isinstance(value, dict)]
    return sum(any(value.get(name) for value in settings) for name in _MASKS)
