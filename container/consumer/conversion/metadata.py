"""Remove metadata from image files without encoding the image again."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from container.consumer.inputs.png import SIGNATURE, chunks

_PNG_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"})

_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""Begins a segment, or ends the file. The bytes of a picture contain only others, which have no content."""
_JPEG_METADATA: Final = frozenset({*range(0xE1, 0xF0), 0xFE})
"""All APPn segments but the first, which is JFIF's header, and comments."""
_JPEG_KEPT: Final = ((0xE2, b"ICC_PROFILE\0"), (0xEE, b"Adobe"))
"""Segments without which the colors would be others."""

_WEBP_METADATA: Final = {b"EXIF": 0x08, b"XMP ": 0x04}
"""The chunks, and their bits in the flags of the header."""


def without_png_texts(data: bytes) -> bytes:
    """Return a PNG without its text chunks, its EXIF chunk, its time, and what follows its end."""
    kept = [SIGNATURE]
    for name, start, end in chunks(data):
        if name not in _PNG_TEXTS:
            kept.append(data[start - 8 : end + 4])
        if name == b"IEND":
            break
    return b"".join(kept)


def without_jpeg_metadata(data: bytes) -> bytes:
    """Return a JPEG without EXIF, XMP, IPTC, comments, and what follows its end; its color profile stays."""
    kept, position, in_scan = [data[:2]], 2, False
    while found := _JPEG_MARKER.search(data, position):
        start, marker = found.start(), data[found.start() + 1]
        if in_scan:
            kept.append(data[position:start])
        if marker == _JPEG_END:
            return b"".join((*kept, found.group()))
        end = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        content = data[found.end() + 2 : end]
        is_kept = any(marker == kind and content.startswith(name) for kind, name in _JPEG_KEPT)
        if is_kept or marker not in _JPEG_METADATA:
            kept.append(data[start:end])
        position, in_scan = end, marker == _JPEG_SCAN
    return b"".join((*kept, data[position:] if in_scan else b""))


def without_webp_metadata(data: bytes) -> bytes:
    """Return a WebP without EXIF, XMP, and what follows its end; its color profile stays."""
    kept, flags = bytearray(), 0
    for name, chunk in _riff_chunks(data):
        if bit := _WEBP_METADATA.get(name, 0):
            flags |= bit
        else:
            kept += chunk
    if kept[:4] == b"VP8X" and len(kept) > 8:
        kept[8] &= ~flags & 0xFF
    return b"RIFF" + (len(kept) + 4).to_bytes(4, "little") + b"WEBP" + bytes(kept)


STRIPPERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "PNG": without_png_texts,
    "JPEG": without_jpeg_metadata,
    "WEBP": without_webp_metadata,
}
"""How metadata are removed from each format of `sniff`."""


def is_animated(data: bytes, kind: str) -> bool:
    """Return whether a PNG or WebP contains more than one frame, as its structure says."""
    if kind == "PNG":
        return any(name == b"acTL" for name, _, _ in chunks(data))
    if kind == "WEBP":
        return data[12:16] == b"VP8X" and bool(int.from_bytes(data[20:21]) & 0x02)
    return False


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    size = int.from_bytes(data[4:8], "little")
    data, position = data[: 8 + size + size % 2], 12  # what follows is not of the file
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        end = position + 8 + size + size % 2  # chunks begin at even positions
        yield data[position : position + 4], data[position:end]
        position = end
