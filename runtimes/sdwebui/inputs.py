"""Find the images in a task's content, and which of them are links."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from domain.body import pointer
from runtimes.base import InputRef
from runtimes.media import BEGINNING_BYTES, other_kind
from runtimes.sdwebui.policy import ROUTING_KEYS

SCRIPT_IMAGE_KEYS: Final = frozenset(
    {"image", "input_image", "image_link", "mask", "mask_image", "effective_region_mask"}
)
"""Keys inside `alwayson_scripts`, at any depth, with an image or a list of images."""

_BEGINS_AS_LINK: Final = re.compile(r"[\x00-\x20]*(https?|s3):", re.IGNORECASE)
_WHOLLY_A_LINK: Final = re.compile(r"[\x00-\x20]*(https?|s3)://[^\x00-\x20]+[\x00-\x20]*", re.IGNORECASE)
_NAMES_A_FILE: Final = re.compile(
    r"[\x00-\x20]*(https?|s3)://[^\x00-\x1f]+\.(png|jpe?g|webp|avif|gif|bmp)[\x00-\x20]*", re.IGNORECASE
)
"""Spaces are allowed, as in the names of screenshots."""

_DATA_URI: Final = re.compile(r"data:[^,]{0,100},")
_NO_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")

STRAY_LINK: Final = (
    "no link is fetched here, and SD Web UI must not fetch one itself: give the image as base64 (links are "
    f"fetched in args, {', '.join(sorted(SCRIPT_IMAGE_KEYS))})"
)


def is_link(value: Any) -> bool:
    """Return whether the whole value is an http, https or s3 URL, and not just its beginning."""
    return isinstance(value, str) and bool(_WHOLLY_A_LINK.fullmatch(value) or _NAMES_A_FILE.fullmatch(value))


def begins_as_link(value: Any) -> bool:
    """Return whether a value begins like a link.

    In an image field, such a value must be a valid link or is an error, and is never passed on: SD Web UI
    itself would fetch anything that begins with http, from inside the network.
    """
    return isinstance(value, str) and _BEGINS_AS_LINK.match(value) is not None


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a content: a link, or inline data as base64."""

    path: str
    """A JSON pointer into the content."""
    holder: Any
    key: str | int

    @property
    def text(self) -> str:
        """Return the link or the base64 text."""
        return str(self.holder[self.key])

    @property
    def is_link(self) -> bool:
        """Return whether the image must be downloaded."""
        return begins_as_link(self.text)

    def put(self, encoded: str) -> None:
        """Replace the image by base64."""
        self.holder[self.key] = encoded


def references(content: dict[str, Any]) -> Iterator[InputRef]:
    """Yield the images of a content as inputs to fetch."""
    for image in images(content):
        yield InputRef(image.path, image.text, image.is_link)


def images(content: dict[str, Any]) -> Iterator[Image]:
    """Yield every text in an image field, and nothing else: a prompt that is a URL remains a prompt."""
    for key in ("mask", "image"):
        yield from _text(content, key, f"/{key}")
    inputs = content.get("init_images")
    for index in range(len(inputs) if isinstance(inputs, list) else 0):
        yield from _text(inputs, index, f"/init_images/{index}")
    entries = content.get("imageList")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield from _text(entry, "data", f"/imageList/{index}/data")
    yield from _positional(content.get("script_args"), "/script_args")
    for name, script in _scripts(content):
        yield from _of_script(script, f"/alwayson_scripts/{pointer(name)}")


def stray_links(content: dict[str, Any]) -> Iterator[str]:
    """Yield where a text in a script begins like a link but is not an image: SD Web UI might fetch it."""
    known = {(id(image.holder), image.key) for image in images(content)}  # paths of all would be many MiB
    scripts = content.get("alwayson_scripts")
    places = [(scripts, name, f"/alwayson_scripts/{pointer(name)}") for name, _ in _scripts(content)]
    for text in chain.from_iterable(
        _texts(*place) for place in (*places, (content, "script_args", "/script_args"))
    ):
        if begins_as_link(text.text) and (id(text.holder), text.key) not in known:
            yield text.path


def unreadable_images(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a content has data of an unsupported type, and which type.

    Only the beginning is read and only known types are reported; the worker detects the others.
    """
    for image in images(content):
        what = None if image.is_link else other_kind(_beginning(image.text))
        if what:
            yield image.path, f"neither a link nor base64 of an image: it is {what}"


def _beginning(text: str) -> bytes:
    """Return the first bytes of a base64 text, or nothing if it is not base64."""
    head = _DATA_URI.match(text)
    text = text[head.end() if head else 0 :][: 2 * BEGINNING_BYTES]
    encoded = _NO_BASE64.sub("", text)
    try:
        return base64.b64decode(encoded[: len(encoded) // 4 * 4])
    except ValueError:
        return b""


def _scripts(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    scripts = content.get("alwayson_scripts")
    for name, script in scripts.items() if isinstance(scripts, dict) else ():
        if name not in ROUTING_KEYS:
            yield name, script


def _of_script(value: Any, path: str) -> Iterator[Image]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _of_script(item, f"{path}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            here = f"{path}/{pointer(key)}"
            if key in SCRIPT_IMAGE_KEYS:
                yield from _text(value, key, here)
                yield from _listed(item, here)
            elif key == "args":
                yield from _positional(item, here)
            else:
                yield from _of_script(item, here)


def _listed(value: Any, path: str) -> Iterator[Image]:
    """Yield the images in an image field: a list of images, or of objects that contain them."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _text(value, index, f"{path}/{index}")
            yield from _listed(item, f"{path}/{index}")
    else:
        yield from _of_script(value, path)


def _positional(value: Any, path: str) -> Iterator[Image]:
    """Yield the links in a list of arguments, each of which may be an image or any other text."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if is_link(item):
                yield Image(f"{path}/{index}", value, index)
            yield from _positional(item, f"{path}/{index}")
    else:
        yield from _of_script(value, path)


def _texts(holder: Any, key: str | int, path: str) -> Iterator[Image]:
    """Yield all texts except prompts, which nobody fetches, in the form of images."""
    value = _value(holder, key)
    yield from _text(holder, key, path)
    if isinstance(value, list):
        for index in range(len(value)):
            yield from _texts(value, index, f"{path}/{index}")
    elif isinstance(value, dict):
        for name in value:
            if "prompt" not in name:
                yield from _texts(value, name, f"{path}/{pointer(name)}")


def _value(holder: Any, key: str | int) -> Any:
    return holder.get(key) if isinstance(holder, dict) else holder[key]


def _text(holder: Any, key: str | int, path: str) -> Iterator[Image]:
    value = _value(holder, key)
    if isinstance(value, str) and value:
        yield Image(path, holder, key)
