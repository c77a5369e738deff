"""Recognize types of files by their first bytes."""

import re
from typing import Final

IMAGE_TYPES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
}
"""Supported image types: content type and file extension."""

VIDEO_TYPES: Final = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
}
AUDIO_TYPES: Final = {
    "audio/flac": ".flac",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/mp4": ".m4a",
}
OTHER_NAMES_OF_TYPES: Final = {
    "video/matroska": ".mkv",
    "audio/x-flac": ".flac",
    "audio/x-wav": ".wav",
    "audio/x-m4a": ".m4a",
}
"""What browsers and operating systems also call these types of videos and sounds."""

IMAGE_NAMES: Final = "PNG, JPEG, WebP, AVIF, GIF or BMP"
VIDEO_NAMES: Final = "MP4, MOV, WebM or Matroska"
AUDIO_NAMES: Final = "FLAC, MP3, Ogg (Opus or Vorbis), WAV or M4A"

UNSUPPORTED_TYPE_HINTS: Final = {
    "image/heic": "HEIC is not read; save the picture as JPEG",
    "image/heif": "HEIF is not read; save the picture as JPEG",
    "image/jpg": "the name of this type is image/jpeg",
    "image/jxl": "JPEG XL is not read; save the picture as PNG",
    "image/svg+xml": "SVG is a drawing; save it as PNG",
    "image/tiff": "TIFF is not read; save the picture as PNG",
    "image/x-ms-bmp": "the name of this type is image/bmp",
    "video/x-msvideo": "AVI is not read; save the video as MP4",
    "audio/mp3": "the name of this type is audio/mpeg",
    "audio/aac": "AAC without a container is not read; save the sound as M4A",
}
"""For content types that are not supported: what is wrong, and what to do."""

BEGINNING_BYTES: Final = 512
"""How many of a file's first bytes are needed to recognize it."""

_MP4_BRANDS: Final = frozenset({b"isom", b"mp41", b"mp42", b"avc1", b"dash", b"M4V ", b"MSNV", b"av01"})
_HEIC_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_PAGE: Final = re.compile(
    rb"(?:<\?xml[^>]*>\s*)?(?:<(?:!doctype html|html|head|body|meta|script|title)\b|<!--)", re.IGNORECASE
)

_OTHERS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"II*\0", "TIFF; save it as PNG"),
    (b"MM\0*", "TIFF; save it as PNG"),
    (b"II+\0", "TIFF; save it as PNG"),
    (b"MM\0+", "TIFF; save it as PNG"),
    (b"\0\0\0\x0cJXL ", "JPEG XL; save it as PNG"),
    (b"\xff\x0a", "JPEG XL; save it as PNG"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000; save it as PNG"),
    (b"8BPS", "a Photoshop file; save it as PNG"),
    (b"\0\0\x01\0", "an icon; save it as PNG"),
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
)


def begins_as_image(data: bytes) -> bool:
    """Return whether the data begins like an image of a supported type."""
    return (
        data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM"))
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or is_avif(brands(data))
    )


def begins_as_audio(data: bytes) -> bool:
    """Return whether the data begins like a sound of a supported type."""
    return (
        data[:4] in (b"fLaC", b"OggS")
        or (data[:4] == b"RIFF" and data[8:12] == b"WAVE")
        or data[4:12] == b"ftypM4A "
        or is_mp3(data)
    )


def begins_as_video(data: bytes) -> bool:
    """Return whether the data begins like a video of a supported type."""
    found = brands(data)
    is_mp4 = data[4:12] != b"ftypM4A " and (is_video(found) or b"qt  " in found)
    return is_mp4 or is_matroska(data, b"webm") or is_matroska(data, b"matroska")


def is_matroska(data: bytes, kind: bytes) -> bool:
    """Return whether the data is Matroska of a kind: `webm` or `matroska`."""
    head = b"\x42\x82" + bytes([0x80 | len(kind)]) + kind
    return data[:4] == b"\x1a\x45\xdf\xa3" and head in data[:64]


def is_mp3(data: bytes) -> bool:
    """Return whether the data begins like an MP3: with its tags, or with the head of a frame of layer III."""
    if data[:3] == b"ID3":
        return True
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return False
    return data[1] & 0x18 != 0x08 and data[2] & 0xF0 != 0xF0 and data[2] & 0x0C != 0x0C


def other_kind(data: bytes) -> str | None:
    """Return the type of unsupported data, to follow "it is …", or None if it is not recognized."""
    found = brands(data)
    if found & _HEIC_BRANDS and not is_avif(found):
        return f"HEIC, which is not read; save it as JPEG ({IMAGE_NAMES} are read)"
    if is_video(found) and not is_avif(found):
        return "a video (MP4)"
    head = data[:BEGINNING_BYTES]
    text = _text(data)
    if text.startswith(b"<") and b"<svg" in text:
        return f"a drawing (SVG); save it as PNG ({IMAGE_NAMES} are read)"
    if is_page(data):
        return (
            "a web page (HTML), perhaps a login page; give the link to the image file itself, not to the "
            "page that shows it"
        )
    for beginning, name in _OTHERS:
        if head.startswith(beginning):
            return f"{name} ({IMAGE_NAMES} are read)"
    return None


def is_page(data: bytes) -> bool:
    """Return whether the data is a web page."""
    return _PAGE.match(_text(data)) is not None


def _text(data: bytes) -> bytes:
    return data[:BEGINNING_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()


def not_read(data: bytes) -> str:
    """Return a description of data that is not a supported image, to follow "it is …"."""
    return other_kind(data) or (f"not {IMAGE_NAMES}" if data else "empty")


def brands(data: bytes) -> frozenset[bytes]:
    """Return the brands of an ISO base media file, none for any other file."""
    if data[4:8] != b"ftyp":
        return frozenset()
    size = min(int.from_bytes(data[:4], "big"), BEGINNING_BYTES)
    return frozenset(data[at : at + 4] for at in (8, *range(16, size, 4)))  # at 12 is the minor version


def is_avif(found: frozenset[bytes]) -> bool:
    """Return whether a file with these brands is an AVIF."""
    return bool(found & {b"avif", b"avis"})


def is_video(found: frozenset[bytes]) -> bool:
    """Return whether a file with these brands is an MP4."""
    return bool(found & _MP4_BRANDS) or any(brand.startswith(b"iso") for brand in found)
