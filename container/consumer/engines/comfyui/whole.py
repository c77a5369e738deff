"""Recognize files that break off: ComfyUI reads and writes them as if they were complete."""

import zlib
from typing import Final

from container.consumer.inputs.png import chunks

_JPEG_END: Final = b"\xff\xd9"
_GIF_END: Final = b"\x3b"
_PADDING: Final = b"\0\r\n "
PART_BYTES: Final = 1024 * 1024
MAX_TAIL: Final = 65_536
"""Cameras write other data behind a JPEG's end, so the end is looked for in so many last bytes."""


def is_whole(data: bytes, kind: str) -> bool:  # noqa: PLR0911 - one return for each format
    """Return whether a file of a recognized format is complete, as far as its structure tells."""
    if kind == "PNG":
        return _png_is_whole(data)
    if kind == "JPEG":
        return _JPEG_END in data[-MAX_TAIL:]
    if kind == "GIF":
        return data.rstrip(_PADDING).endswith(_GIF_END)
    if kind in ("WEBP", "WAV"):
        return len(data) >= 8 + int.from_bytes(data[4:8], "little")
    if kind == "BMP":
        return len(data) >= int.from_bytes(data[2:6], "little")
    if kind in ("MP4", "MOV", "M4A", "AVIF"):
        return _boxes_are_whole(data)
    return True


def _png_is_whole(data: bytes) -> bool:
    pixels = zlib.decompressobj()
    for name, start, end in chunks(data):
        checksum = data[end : end + 4]
        if len(checksum) < 4 or zlib.crc32(name + data[start:end]) != int.from_bytes(checksum, "big"):
            return False
        if name == b"IDAT" and not _is_readable(pixels, data[start:end]):
            return False
        if name == b"IEND":
            return pixels.eof
    return False


def _is_readable(pixels: "zlib._Decompress", data: bytes) -> bool:
    """Go on with the pixels of a PNG, a bounded part at a time; return False if they are damaged."""
    try:
        while data and not pixels.eof:
            pixels.decompress(data, PART_BYTES)
            data = pixels.unconsumed_tail
    except zlib.error:
        return False
    return True


def _boxes_are_whole(data: bytes) -> bool:
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            return False
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:  # to the end of the file
            return True
        if size < 8 or at + size > len(data):
            return False
        at += size
    return True
