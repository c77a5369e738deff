"""Read the size to which a decoder expands an image from the image's header.

Only what all decoders read alike is accepted. Where two of them could differ (a second header, bytes between
segments, an empty block), there is no size, and the image is refused. In these cases, the functions return
None, or raise struct.error or IndexError if the header ends too early.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final

from container.consumer.inputs.png import chunks

MAX_STEPS: Final = 65_536
"""Maximum number of segments to read in one file; a photograph has tens, a GIF with a large comment block a
few thousand."""

BMP_CORE_HEADER: Final = 12
GIF_EXTENSION: Final = 0x21
GIF_IMAGE: Final = 0x2C
GIF_LOOPS: Final = b"NETSCAPE2.0"
JPEG_MARK: Final = 0xFF
JPEG_SCAN: Final = 0xDA
JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xDE}
"""SOFn without DHT, JPG and DAC, and DHP, which contains a size as well."""

JPEG_SEGMENTS: Final = frozenset({0xC4, 0xCC, *range(0xDB, 0xF0), 0xFE}) | JPEG_FRAMES
"""Markers with a length, on which all decoders agree; they differ about the others."""

PNG_DATA: Final = frozenset({b"IDAT", b"fdAT"})

Size = tuple[int, int]


def png_size(data: bytes) -> Size | None:
    """Return the size in the only header that may precede the data; some decoders use the last of two."""
    size: Size | None = None
    for name, start, end in islice(chunks(data), MAX_STEPS):
        if name in PNG_DATA:
            return size
        if name == b"IHDR":
            if start != 16 or end - start != 13:  # IHDR is the first chunk and has 13 bytes
                return None
            size = struct.unpack_from(">II", data, start)
    return None


def gif_size(data: bytes) -> Size | None:
    """Return the larger of the screen and the first frame, which decoders allow to exceed the screen."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + (3 * (2 << (flags & 7)) if flags & 0x80 else 0)  # after the global color table
    steps = iter(range(MAX_STEPS))
    for _ in steps:
        if data[position] == GIF_IMAGE:
            left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, position + 1)
            return max(width, left + frame_width), max(height, top + frame_height)
        if data[position] != GIF_EXTENSION:  # the stream has ended or is broken
            return None
        position += 2
        first = data[position]
        # Decoders that read the first block continue after it, even if there is no second one.
        loops = data[position + 1 : position + 1 + len(GIF_LOOPS)] == GIF_LOOPS
        if not first or (loops and not data[position + 1 + first]):
            return None
        for _ in steps:  # its blocks, of which an empty one is the last
            length = data[position]
            position += 1 + length
            if not length:
                break
    return None


def webp_size(data: bytes) -> Size | None:
    """Return the size of the canvas or of the only image; no decoder lets an image exceed the canvas."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L" and data[20:21] == b"\x2f":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def bmp_size(data: bytes) -> Size | None:
    """Return the size in the header."""
    if struct.unpack_from("<I", data, 14)[0] == BMP_CORE_HEADER:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # a negative height means that the rows are stored from top to bottom


def jpeg_size(data: bytes) -> Size | None:
    """Return the largest sides of all frames in the header: decoders differ about which one counts."""
    position, sizes = 2, [(0, 0)]
    for _ in range(MAX_STEPS):
        if data[position] != JPEG_MARK:
            return None
        marker = data[position + 1]
        if marker == JPEG_SCAN:
            return _largest(sizes)
        if marker == JPEG_MARK:  # a fill byte
            position += 1
            continue
        if marker not in JPEG_SEGMENTS:
            return None
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            sizes.append((width, height))
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None


def avif_size(data: bytes) -> Size | None:
    """Return the largest sides among items and tracks; tiles, thumbnails and alpha planes are smaller."""
    sizes = [(0, 0)]
    for meta in _boxes(data, 0, len(data), b"meta"):
        for properties in _boxes(data, meta[0] + 4, meta[1], b"iprp"):
            for container in _boxes(data, *properties, b"ipco"):
                for start, _ in _boxes(data, *container, b"ispe"):
                    sizes.append(struct.unpack_from(">II", data, start + 4))
    for movie in _boxes(data, 0, len(data), b"moov"):  # an animation
        for track in _boxes(data, *movie, b"trak"):
            for start, _ in _boxes(data, *track, b"tkhd"):
                at = start + (88 if data[start] == 1 else 76)  # the times before are longer in version 1
                width, height = struct.unpack_from(">II", data, at)  # 16.16
                sizes.append((width >> 16, height >> 16))
    return _largest(sizes)


def _largest(sizes: list[Size]) -> Size:
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _boxes(data: bytes, start: int, end: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and end of the content of each ISO base media box of the given kind."""
    for _ in range(MAX_STEPS):
        if start + 8 > end:
            return
        size, name = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, start + 8)[0], 16
        stop = end if size == 0 else start + size
        if (size and size < header) or stop > end:
            return
        if name == kind:
            yield start + header, stop
        start = stop
