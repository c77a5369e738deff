"""Links in image fields, replaced by the base64 of what they point to (design, section 3.2)."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from container.consumer.inputs.errors import InputError
from container.consumer.inputs.fetch import Fetched
from container.consumer.inputs.links import begins_as_link, is_link
from domain.body import pointer
from domain.errors import ErrorCode, TaskFailed
from domain.limits import MAX_LINKS

SCRIPT_IMAGE_KEYS: Final = frozenset({"image", "input_image", "image_link", "mask", "mask_image"})
"""Keys that hold an image inside `alwayson_scripts`, at any depth."""

PARALLEL_FETCHES: Final = 4
"""Enough to hide one slow server behind the others; each may hold 32 MiB."""

Put = Callable[[str], None]
Found = tuple[str, str, Put]


class Fetcher(Protocol):
    """Fetch what a link points to."""

    def fetch(self, link: str) -> Fetched:
        """Return the image, or raise InputError."""


class LinkedInputs:
    """Replace links in the image fields of a content, and nowhere else: a prompt that is a URL stays one."""

    def __init__(self, links: Fetcher) -> None:
        self._links = links

    def resolve(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content with its images inline; raise InputError naming the input by JSON pointer.

        What merely begins as a link is an error too: SD Web UI would fetch it itself, unguarded.
        """
        content = _copy(content)
        found = list(_image_fields(content))
        if len(found) > MAX_LINKS:
            raise TaskFailed(ErrorCode.INVALID_CONTENT, f"A task may name at most {MAX_LINKS} links.")
        wanted = {link: path for path, link, _ in reversed(found)}
        if len(wanted) > 1:
            with ThreadPoolExecutor(min(PARALLEL_FETCHES, len(wanted))) as pool:
                encoded = dict(zip(wanted, pool.map(self._fetch, wanted, wanted.values()), strict=True))
        else:
            encoded = {link: self._fetch(link, path) for link, path in wanted.items()}
        for _, link, put in found:
            put(encoded[link])
        _move_image_links(content.get("alwayson_scripts"))
        return content

    def _fetch(self, link: str, path: str) -> str:
        try:
            return base64.b64encode(self._links.fetch(link).data).decode()
        except InputError as error:
            raise error.at(path) from None


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _image_fields(content: dict[str, Any]) -> Iterator[Found]:
    for key in ("mask", "image"):
        yield from _value(content, key, f"/{key}")
    images = content.get("init_images")
    if isinstance(images, list):
        for index in range(len(images)):
            yield from _value(images, index, f"/init_images/{index}")
    entries = content.get("imageList")
    if isinstance(entries, list):
        for index, entry in enumerate(entries):
            if isinstance(entry, dict):
                yield from _value(entry, "data", f"/imageList/{index}/data")
    yield from _script_fields(content.get("alwayson_scripts"), "/alwayson_scripts")


def _script_fields(value: Any, path: str) -> Iterator[Found]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if path.endswith("/args") and is_link(item):  # a positional argument may be any text
                yield from _value(value, index, f"{path}/{index}")
            yield from _script_fields(item, f"{path}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in SCRIPT_IMAGE_KEYS:
                yield from _value(value, key, f"{path}/{pointer(key)}")
            yield from _script_fields(item, f"{path}/{pointer(key)}")


def _value(holder: Any, key: str | int, path: str) -> Iterator[Found]:
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, str) and begins_as_link(value):

        def put(encoded: str) -> None:
            holder[key] = encoded

        yield path, value, put


def _move_image_links(scripts: Any) -> None:
    """Put ControlNet's `image_link` where ControlNet reads it."""
    for name, script in scripts.items() if isinstance(scripts, dict) else ():
        units = script.get("args") if isinstance(script, dict) and name.lower() == "controlnet" else None
        for unit in units if isinstance(units, list) else ():
            if isinstance(unit, dict) and "image_link" in unit:
                unit["image"] = unit.pop("image_link")
