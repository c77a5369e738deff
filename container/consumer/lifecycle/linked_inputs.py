"""Links in image fields, replaced by the base64 of what they point to (design, section 3.2)."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from container.consumer.inputs.errors import InputError
from container.consumer.inputs.fetch import DEFAULT_LIMITS as FETCH_LIMITS
from container.consumer.inputs.fetch import Fetched
from container.consumer.inputs.inline import check_inline
from domain.errors import ErrorCode, PermanentError
from domain.limits import DEFAULT_LIMITS, Limits
from runtimes.sdwebui.inputs import Image, images
from runtimes.sdwebui.upscaling import upscaled_too_far

PARALLEL_FETCHES: Final = 4
"""Enough to hide one slow server behind the others; each may hold 32 MiB."""

Sizes = dict[str, tuple[int, int]]


class Fetcher(Protocol):
    """Fetch what a link points to."""

    def fetch(self, link: str) -> Fetched:
        """Return the image, or raise InputError."""


class LinkedInputs:
    """Replace links in the image fields of a content, and nowhere else: a prompt that is a URL stays one."""

    def __init__(self, links: Fetcher, limits: Limits = DEFAULT_LIMITS) -> None:
        self._links = links
        self._limits = limits

    def resolve(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content with its images inline; raise InputError naming the input by JSON pointer.

        What merely begins as a link is an error too: SD Web UI would fetch it itself, unguarded.
        """
        content = _copy(content)
        found = list(images(content))
        sizes = self._check_inline([image for image in found if not image.is_link])
        sizes |= self._fetch_all([image for image in found if image.is_link])
        for path, size in sizes.items():
            if upscaled_too_far(content, path, size, self._limits):
                most = f"{self._limits.upscaled_pixels:,} pixels are allowed behind the upscaler."
                raise PermanentError(ErrorCode.INPUT_TOO_LARGE, f"{path}: {most}")
        _move_image_links(content.get("alwayson_scripts"))
        return content

    def _check_inline(self, found: list[Image]) -> Sizes:
        sizes: Sizes = {}
        for image in found:
            try:
                sizes[image.path] = check_inline(image.text, FETCH_LIMITS).size
            except InputError as error:
                raise error.at(image.path) from None
        return sizes

    def _fetch_all(self, found: list[Image]) -> Sizes:
        if len(found) > self._limits.links:
            text = f"A task may name at most {self._limits.links} links."
            raise PermanentError(ErrorCode.INVALID_CONTENT, text)
        wanted = {image.text: image.path for image in reversed(found)}
        if len(wanted) > 1:
            with ThreadPoolExecutor(min(PARALLEL_FETCHES, len(wanted))) as pool:
                got = dict(zip(wanted, pool.map(self._fetch, wanted, wanted.values()), strict=True))
        else:
            got = {link: self._fetch(link, path) for link, path in wanted.items()}
        sizes: Sizes = {}
        for image in found:
            encoded, sizes[image.path] = got[image.text]
            image.put(encoded)
        return sizes

    def _fetch(self, link: str, path: str) -> tuple[str, tuple[int, int]]:
        try:
            fetched = self._links.fetch(link)
        except InputError as error:
            raise error.at(path) from None
        return base64.b64encode(fetched.data).decode(), fetched.image.size


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _move_image_links(scripts: Any) -> None:
    """Put ControlNet's `image_link` where ControlNet reads it."""
    for name, script in scripts.items() if isinstance(scripts, dict) else ():
        units = script.get("args") if isinstance(script, dict) and name.lower() == "controlnet" else None
        for unit in units if isinstance(units, list) else ():
            if isinstance(unit, dict) and "image_link" in unit:
                unit["image"] = unit.pop("image_link")
