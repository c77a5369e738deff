"""Where a task's content holds images, and which of them are links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from domain.body import pointer
from runtimes.base import InputRef

SCRIPT_IMAGE_KEYS: Final = frozenset({"image", "input_image", "image_link", "mask", "mask_image"})
"""Keys that hold an image inside `alwayson_scripts`, at any depth."""

_BEGINS_AS_LINK: Final = re.compile(r"[\x00-\x20]*(https?|s3):", re.IGNORECASE)
_WHOLLY_A_LINK: Final = re.compile(r"[\x00-\x20]*(https?|s3)://[^\x00-\x20]+[\x00-\x20]*", re.IGNORECASE)


def is_link(value: Any) -> bool:
    """Say whether a value is wholly an http, https or s3 URL: no text that merely begins with one."""
    return isinstance(value, str) and _WHOLLY_A_LINK.fullmatch(value) is not None


def begins_as_link(value: Any) -> bool:
    """Say whether a value begins as a link.

    In a field that holds an image such a value is a link or an error, never passed on: SD Web UI would itself
    fetch whatever begins with http, from inside the network.
    """
    return isinstance(value, str) and _BEGINS_AS_LINK.match(value) is not None


@dataclass(frozen=True, slots=True)
class Image:
    """Point at one image of a content: a link, or the image itself as base64."""

    path: str
    """A JSON pointer into the content."""
    holder: Any
    key: str | int

    @property
    def text(self) -> str:
        """Return what stands there."""
        return str(self.holder[self.key])

    @property
    def is_link(self) -> bool:
        """Tell whether it is to be fetched."""
        return begins_as_link(self.text)

    def put(self, encoded: str) -> None:
        """Write base64 in its place."""
        self.holder[self.key] = encoded


def references(content: dict[str, Any]) -> Iterator[InputRef]:
    """Yield the images of a content for whoever fetches them."""
    for image in images(content):
        yield InputRef(image.path, image.text, image.is_link)


def images(content: dict[str, Any]) -> Iterator[Image]:
    """Yield every text in a field that holds an image, and nothing else: a prompt that is a URL stays one."""
    for key in ("mask", "image"):
        yield from _text(content, key, f"/{key}")
    inputs = content.get("init_images")
    for index in range(len(inputs) if isinstance(inputs, list) else 0):
        yield from _text(inputs, index, f"/init_images/{index}")
    entries = content.get("imageList")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield from _text(entry, "data", f"/imageList/{index}/data")
    yield from _of_scripts(content.get("alwayson_scripts"), "/alwayson_scripts")


def _of_scripts(value: Any, path: str) -> Iterator[Image]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if path.endswith("/args") and is_link(item):  # a positional argument may be any text
                yield Image(f"{path}/{index}", value, index)
            yield from _of_scripts(item, f"{path}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in SCRIPT_IMAGE_KEYS:
                yield from _text(value, key, f"{path}/{pointer(key)}")
            yield from _of_scripts(item, f"{path}/{pointer(key)}")


def _text(holder: Any, key: str | int, path: str) -> Iterator[Image]:
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, str) and value:
        yield Image(path, holder, key)
