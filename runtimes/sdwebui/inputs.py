"""Find the images in a task's content, and which of them are links."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from domain.body import pointer
from runtimes.base import InputRef
from runtimes.links import begins_as_link, is_link, refused_link
from runtimes.media import BEGINNING_BYTES, other_kind
from runtimes.sdwebui.policy import ROUTING_KEYS

SCRIPT_IMAGE_KEYS: Final = frozenset(
    {"image", "input_image", "image_link", "mask", "mask_image", "effective_region_mask"}
)
"""Keys inside `alwayson_scripts`, at any depth, with an image or a list of images."""

_NAMES_AN_IMAGE: Final = re.compile(r"image|img|mask|photo|picture|frame", re.IGNORECASE)
"""Further keys inside `alwayson_scripts` at which links are downloaded; other texts there may be anything."""

_DATA_URI: Final = re.compile(r"data:[^,]{0,100},")
_NO_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")
_URL_SAFE: Final = str.maketrans("-_", "+/")

_NEITHER_READ_NOR_SENT: Final = frozenset({"comments"})
"""Fields in which SD Web UI keeps notes."""

STRAY_LINK: Final = (
    "links are not downloaded here, and SD Web UI must not fetch one itself: give the image as base64 (links "
    f"are downloaded in args, {', '.join(sorted(SCRIPT_IMAGE_KEYS))}, and keys that name an image or a mask)"
)
STRAY_LINK_IN_FIELD: Final = (
    "links are not downloaded here, and SD Web UI would get a text; links are downloaded in init_images, "
    "mask, image, imageList[].data, script_args and alwayson_scripts"
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a task's content: a link, or inline data as base64."""

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


def input_references(content: dict[str, Any]) -> Iterator[InputRef]:
    """Yield the images of a task's content as inputs to fetch."""
    for image in image_fields(content):
        yield InputRef(image.path, image.text, image.is_link)


def image_fields(content: dict[str, Any]) -> Iterator[Image]:
    """Yield every text in an image field, and nothing else: a prompt that is a URL remains a prompt."""
    for key in ("mask", "image"):
        yield from _text_at(content, key, f"/{key}")
    inputs = content.get("init_images")
    for index in range(len(inputs) if isinstance(inputs, list) else 0):
        yield from _text_at(inputs, index, f"/init_images/{index}")
    entries = content.get("imageList")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield from _text_at(entry, "data", f"/imageList/{index}/data")
    yield from _argument_images(content.get("script_args"), "/script_args")
    for name, script in _scripts(content):
        yield from _script_images(script, f"/alwayson_scripts/{pointer(name)}")


def stray_links(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a link is not an image, and what is wrong with it there.

    In a script, SD Web UI might fetch a text that only begins like a link; in other fields only what is
    wholly a link must be meant as one.
    """
    # Identified by holder and key, because the paths of all images could take many MiB.
    known = {(id(image.holder), image.key) for image in image_fields(content)}
    scripts = content.get("alwayson_scripts")
    places = [(scripts, name, f"/alwayson_scripts/{pointer(name)}") for name, _ in _scripts(content)]
    for text in chain.from_iterable(
        _all_texts(*place) for place in (*places, (content, "script_args", "/script_args"))
    ):
        if begins_as_link(text.text) and (id(text.holder), text.key) not in known:
            yield text.path, STRAY_LINK
    for name in content:
        if name not in {"alwayson_scripts", "script_args", *_NEITHER_READ_NOR_SENT} and "prompt" not in name:
            for text in _all_texts(content, name, f"/{pointer(name)}"):
                if is_link(text.text) and (id(text.holder), text.key) not in known:
                    yield text.path, STRAY_LINK_IN_FIELD


def unreadable_images(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a task's content has an image that no worker can use, and why.

    Of inline data only the beginning is read and only known types are reported; the worker detects the
    others.
    """
    for image in image_fields(content):
        if reason := refused_link(image.text):
            yield image.path, reason
            continue
        what = None if image.is_link else other_kind(_first_bytes(image.text))
        if what:
            yield image.path, f"neither a link nor base64 of an image: it is {what}"


def _first_bytes(text: str) -> bytes:
    """Return the first bytes of a base64 text, or nothing if it is not base64."""
    head = _DATA_URI.match(text)
    text = text[head.end() if head else 0 :][: 2 * BEGINNING_BYTES]
    encoded = _NO_BASE64.sub("", text.translate(_URL_SAFE))
    try:
        return base64.b64decode(encoded[: len(encoded) // 4 * 4])
    except ValueError:
        return b""


def _scripts(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    scripts = content.get("alwayson_scripts")
    for name, script in scripts.items() if isinstance(scripts, dict) else ():
        if name not in ROUTING_KEYS:
            yield name, script


def _script_images(value: Any, path: str) -> Iterator[Image]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _script_images(item, f"{path}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            here = f"{path}/{pointer(key)}"
            if key in SCRIPT_IMAGE_KEYS:
                yield from _text_at(value, key, here)
                yield from _image_list(item, here)
            elif key == "args":
                yield from _argument_images(item, here)
            else:
                yield from _script_images(item, here)
                if _NAMES_AN_IMAGE.search(key):
                    yield from _linked_images(value, key, here)


def _linked_images(holder: Any, key: str | int, path: str) -> Iterator[Image]:
    """Yield the links at a key, alone or in a list."""
    value = _value_at(holder, key)
    if is_link(value):
        yield Image(path, holder, key)
    for index in range(len(value) if isinstance(value, list) else 0):
        yield from _linked_images(value, index, f"{path}/{index}")


def _image_list(value: Any, path: str) -> Iterator[Image]:
    """Yield the images in an image field: a list of images, or of objects that contain them."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _text_at(value, index, f"{path}/{index}")
            yield from _image_list(item, f"{path}/{index}")
    else:
        yield from _script_images(value, path)


def _argument_images(value: Any, path: str) -> Iterator[Image]:
    """Yield the links in a list of arguments, each of which may be an image or any other text."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if is_link(item):
                yield Image(f"{path}/{index}", value, index)
            yield from _argument_images(item, f"{path}/{index}")
    else:
        yield from _script_images(value, path)


def _all_texts(holder: Any, key: str | int, path: str) -> Iterator[Image]:
    """Yield all texts except prompts, which nobody fetches, in the form of images."""
    value = _value_at(holder, key)
    yield from _text_at(holder, key, path)
    if isinstance(value, list):
        for index in range(len(value)):
            yield from _all_texts(value, index, f"{path}/{index}")
    elif isinstance(value, dict):
        for name in value:
            if "prompt" not in name:
                yield from _all_texts(value, name, f"{path}/{pointer(name)}")


def _value_at(holder: Any, key: str | int) -> Any:
    return holder.get(key) if isinstance(holder, dict) else holder[key]


def _text_at(holder: Any, key: str | int, path: str) -> Iterator[Image]:
    value = _value_at(holder, key)
    if isinstance(value, str) and value:
        yield Image(path, holder, key)
