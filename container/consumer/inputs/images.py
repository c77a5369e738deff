"""What some bytes are, told from the bytes alone.

Only headers are read, by a bounded number of steps. Nothing is decoded, decompressed or allocated on a
header's word. Image libraries do that before anyone can look at the size: Pillow's lazy `Image.open` made
63 MB, in half a second, of the text chunks of an 8 × 8 PNG of 60 KB, and each fetch would have it.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

MAX_STEPS: Final = 65_536
"""Segments looked at in one file; a photograph has tens, a GIF with a large comment block some thousands."""

BMP_CORE_HEADER: Final = 12
BMP_HEADERS: Final = frozenset({BMP_CORE_HEADER, 40, 52, 56, 64, 108, 124})
GIF_EXTENSION: Final = 0x21
GIF_IMAGE: Final = 0x2C
JPEG_MARK: Final = 0xFF
JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn without DHT, JPG, DAC
JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RSTn and SOI carry no length
JPEG_END: Final = frozenset({0xD9, 0xDA})  # EOI, SOS: the header is over
MP4_BRANDS: Final = frozenset({b"isom", b"mp41", b"mp42", b"avc1", b"dash", b"M4V ", b"MSNV", b"av01"})

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sniffed:
    """Say what some bytes are.

    `width` and `height` are pixels; both are None for a video and where the header cannot be read.
    """

    format: str
    content_type: str
    extension: str
    """Without a dot, as an object's name ends."""
    width: int | None = None
    height: int | None = None

    @property
    def size(self) -> Size:
        """Return width and height, 0 where they are not known."""
        return self.width or 0, self.height or 0

    @property
    def pixels(self) -> int:
        """Return the number of pixels of one frame, 0 where it is not known."""
        return (self.width or 0) * (self.height or 0)


def sniff(data: bytes) -> Sniffed | None:
    """Name the format of `data`: PNG, JPEG, WebP, AVIF, GIF, BMP, MP4 or WebM; None for anything else.

    TIFF is none of them on purpose: its directory can name the same megabytes thousands of times, which
    readers without a bound of their own then hold in memory that often.
    """
    for format_, content_type, extension, is_it, size_of in FORMATS:
        if is_it(data):
            try:
                size = size_of(data)
            except (struct.error, IndexError):  # the header ends before it says the size
                size = None
            width, height = size if size and min(size) > 0 else (None, None)
            return Sniffed(format_, content_type, extension, width, height)
    return None


def _png_size(data: bytes) -> Size | None:
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif_size(data: bytes) -> Size | None:
    """Return the larger of the screen and the first frame, which readers let exceed it."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + (3 * (2 << (flags & 7)) if flags & 0x80 else 0)  # behind the global colour table
    steps = iter(range(MAX_STEPS))
    for _ in steps:
        if data[position] == GIF_IMAGE:
            left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, position + 1)
            return max(width, left + frame_width), max(height, top + frame_height)
        if data[position] != GIF_EXTENSION:  # the stream is over or broken
            return None
        position += 2
        for _ in steps:  # its blocks, of which an empty one is the last
            length = data[position]
            position += 1 + length
            if not length:
                break
    return None


def _webp_size(data: bytes) -> Size | None:
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


def _bmp_size(data: bytes) -> Size | None:
    if struct.unpack_from("<I", data, 14)[0] == BMP_CORE_HEADER:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # a negative height says that the rows come top down


def _jpeg_size(data: bytes) -> Size | None:
    """Return the largest frame that the header names: which of two counts is up to the reader."""
    position, sizes = 2, [(0, 0)]
    for _ in range(MAX_STEPS):
        if data[position] != JPEG_MARK:
            return None
        marker = data[position + 1]
        if marker in JPEG_END:
            return max(sizes, key=lambda size: size[0] * size[1])
        if marker == JPEG_MARK:  # a fill byte
            position += 1
        elif marker in JPEG_BARE:
            position += 2
        else:
            if marker in JPEG_FRAMES:
                height, width = struct.unpack_from(">HH", data, position + 5)
                sizes.append((width, height))
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None


def _avif_size(data: bytes) -> Size | None:
    """Return the largest extents among the items: tiles, thumbnails and alpha planes are smaller."""
    sizes = [(0, 0)]
    for meta in _boxes(data, 0, len(data), b"meta"):
        for properties in _boxes(data, meta[0] + 4, meta[1], b"iprp"):
            for container in _boxes(data, *properties, b"ipco"):
                for start, _ in _boxes(data, *container, b"ispe"):
                    width, height = struct.unpack_from(">II", data, start + 4)
                    sizes.append((width, height))
    return max(sizes, key=lambda size: size[0] * size[1])


def _boxes(data: bytes, start: int, end: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the contents of each ISO base media box of that kind begin and end."""
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


def _brands(data: bytes) -> frozenset[bytes]:
    """Return the brands of an ISO base media file, none for anything else."""
    if data[4:8] != b"ftyp":
        return frozenset()
    size = min(int.from_bytes(data[:4], "big"), 512)
    return frozenset(data[at : at + 4] for at in (8, *range(16, size, 4)))  # at 12 is the minor version


def _is_avif(data: bytes) -> bool:
    return bool(_brands(data) & {b"avif", b"avis"})


def _is_mp4(data: bytes) -> bool:
    brands = _brands(data)
    return bool(brands & MP4_BRANDS) or any(brand.startswith(b"iso") for brand in brands)


def _is_bmp(data: bytes) -> bool:
    return data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in BMP_HEADERS


def _is_webm(data: bytes) -> bool:
    return data[:4] == b"\x1a\x45\xdf\xa3" and b"\x42\x82\x84webm" in data[:64]


def _no_size(_: bytes) -> None:
    return None


Format = tuple[str, str, str, Callable[[bytes], bool], Callable[[bytes], Size | None]]
FORMATS: Final[tuple[Format, ...]] = (
    ("PNG", "image/png", "png", lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", _png_size),
    ("JPEG", "image/jpeg", "jpg", lambda data: data[:3] == b"\xff\xd8\xff", _jpeg_size),
    ("WEBP", "image/webp", "webp", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp_size),
    ("GIF", "image/gif", "gif", lambda data: data[:6] in {b"GIF87a", b"GIF89a"}, _gif_size),
    ("AVIF", "image/avif", "avif", _is_avif, _avif_size),
    ("BMP", "image/bmp", "bmp", _is_bmp, _bmp_size),
    ("MP4", "video/mp4", "mp4", _is_mp4, _no_size),
    ("WEBM", "video/webm", "webm", _is_webm, _no_size),
)
