"""Images that a task contains as base64."""

import base64
import binascii
import re
from typing import Final

from adapters.public_http.errors import InputError
from container.consumer.inputs.fetch import Fetched, check_file
from container.consumer.inputs.images import sniff
from container.consumer.inputs.limits import Limits
from domain.errors import ErrorCode
from runtimes.media import IMAGE_NAMES, not_read

_DATA_URI: Final = re.compile(r"[\x00-\x20]*data:[^,]{0,200},", re.IGNORECASE)
_IMAGE_URI: Final = re.compile(r"data:image/[^;,]*;base64,")
_URL_SAFE: Final = str.maketrans("-_", "+/")


def read_inline(text: str, limits: Limits) -> Fetched:
    """Decode an inline image; raise InputError if it is not an image or has too many pixels.

    Otherwise the engine would report it only when the task is on the GPU, and some scripts would read a path
    in this field from the worker's disk. Line breaks and other characters inside are ignored, as engines do;
    the URL-safe alphabet, missing padding and data URIs of any media type are read too (see
    `engine_reads_inline`).
    """
    prefix = _DATA_URI.match(text)
    try:
        data = base64.b64decode((text[prefix.end() :] if prefix else text).translate(_URL_SAFE) + "==")
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        data = b""
    image = sniff(data)
    if limits.media_bytes and image is not None and image.kind != "image":
        return Fetched(data, check_file(data, limits))
    if image is None or not image.content_type.startswith("image/"):
        actual = f"it is {not_read(data)}" if data else f"not {IMAGE_NAMES}"
        raise InputError(ErrorCode.INPUT_NOT_AN_IMAGE, f"neither a link nor base64 of an image: {actual}.")
    if not image.pixels:
        raise InputError(ErrorCode.INPUT_NOT_AN_IMAGE, f"the image's {image.format} header is broken.")
    if image.pixels > limits.max_pixels:
        raise InputError(ErrorCode.INPUT_TOO_LARGE, f"{limits.max_pixels:,} pixels are allowed.")
    if max(image.size) > limits.max_side:
        raise InputError(ErrorCode.INPUT_TOO_LARGE, f"{limits.max_side:,} pixels per side are allowed.")
    return Fetched(data, image)


def engine_reads_inline(text: str) -> bool:
    """Return whether an engine reads an image as `read_inline` does; if not, it must be encoded again."""
    prefix = _IMAGE_URI.match(text)
    if not prefix and _DATA_URI.match(text):
        return False
    encoded = text[prefix.end() :] if prefix else text
    if "-" in encoded or "_" in encoded:  # engines ignore both characters
        return False
    try:
        base64.b64decode(encoded)
    except ValueError:  # the padding is missing
        return False
    return True
