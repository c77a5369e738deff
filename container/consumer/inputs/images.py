"""Recognize the type and size of files by their bytes alone.

Only headers are read, in a bounded number of steps. Nothing is decoded, decompressed or allocated because a
header says so. Image libraries do that before the size can be checked: Pillow's lazy `Image.open` allocated
63 MB in half a second for the text chunks of an 8 × 8 PNG of 60 KB, and each download would do so.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from container.consumer.inputs.image_sizes import (
    Size,
    avif_size,
    bmp_size,
    gif_size,
    jpeg_size,
    png_size,
    webp_size,
)
from runtimes.media import brands, is_avif, is_matroska, is_mp3, is_video

BMP_HEADERS: Final = frozenset({12, 40, 52, 56, 64, 108, 124})


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The format and size of a file.

    `width` and `height` are in pixels; both are None for a video and if the header cannot be read.
    """

    format: str
    content_type: str
    extension: str
    """The file extension, without a dot."""
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    """Of a video whose structure was read; None for anything else."""

    @property
    def kind(self) -> str:
        """Return `image`, `video` or `audio`."""
        return self.content_type.partition("/")[0]

    @property
    def size(self) -> Size:
        """Return width and height, or 0 if they are not known."""
        return self.width or 0, self.height or 0

    @property
    def pixels(self) -> int:
        """Return the number of pixels of one frame, or 0 if it is not known."""
        return (self.width or 0) * (self.height or 0)


def sniff(data: bytes) -> Sniffed | None:
    """Recognize images, videos and sounds of the types in `FORMATS`; return None for anything else.

    TIFF is not supported on purpose: its directory can refer to the same megabytes thousands of times, and
    decoders without a limit of their own then allocate memory that often.
    """
    for format_, content_type, extension, matches, size_of in FORMATS:
        if matches(data):
            try:
                size = size_of(data)
            except (struct.error, IndexError):  # the header ends before it says the size
                size = None
            width, height = size if size and min(size) > 0 else (None, None)
            return Sniffed(format_, content_type, extension, width, height)
    return None


def _is_bmp(data: bytes) -> bool:
    return data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in BMP_HEADERS


def _no_size(_: bytes) -> None:
    return None


Format = tuple[str, str, str, Callable[[bytes], bool], Callable[[bytes], Size | None]]
FORMATS: Final[tuple[Format, ...]] = (
    ("PNG", "image/png", "png", lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", png_size),
    ("JPEG", "image/jpeg", "jpg", lambda data: data[:3] == b"\xff\xd8\xff", jpeg_size),
    ("WEBP", "image/webp", "webp", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", webp_size),
    ("GIF", "image/gif", "gif", lambda data: data[:6] in {b"GIF87a", b"GIF89a"}, gif_size),
    ("AVIF", "image/avif", "avif", lambda data: is_avif(brands(data)), avif_size),
    ("BMP", "image/bmp", "bmp", _is_bmp, bmp_size),
    ("M4A", "audio/mp4", "m4a", lambda data: data[4:12] == b"ftypM4A ", _no_size),
    ("MP4", "video/mp4", "mp4", lambda data: is_video(brands(data)), _no_size),
    ("MOV", "video/quicktime", "mov", lambda data: b"qt  " in brands(data), _no_size),
    ("WEBM", "video/webm", "webm", lambda data: is_matroska(data, b"webm"), _no_size),
    ("MKV", "video/x-matroska", "mkv", lambda data: is_matroska(data, b"matroska"), _no_size),
    ("FLAC", "audio/flac", "flac", lambda data: data[:4] == b"fLaC", _no_size),
    ("WAV", "audio/wav", "wav", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WAVE", _no_size),
    ("OPUS", "audio/ogg", "opus", lambda data: data[:4] == b"OggS" and b"OpusHead" in data[:64], _no_size),
    ("OGG", "audio/ogg", "ogg", lambda data: data[:4] == b"OggS" and b"\1vorbis" in data[:64], _no_size),
    ("MP3", "audio/mpeg", "mp3", is_mp3, _no_size),
)
