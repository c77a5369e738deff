"""Read the infotext of an image: the parameters that SD Web UI stores in the file."""

import re
import struct
from collections.abc import Iterator
from typing import Final

from container.consumer.inputs.png import SIGNATURE, chunks

_SEED: Final = re.compile(r"(?:^|, )Seed: (-?\d+)(?:,|$)")
_UTF16_PREFIX: Final = b"UNICODE\0"
_EXIF_DIRECTORY_TAG, _USER_COMMENT_TAG = 0x8769, 0x9286
_ENTRY_BYTES: Final = 12


def read_infotext(data: bytes) -> str | None:
    """Return the infotext in an image file, or None if there is none.

    SD Web UI writes it to the text chunk `parameters` of a PNG and to EXIF `UserComment` of a JPEG or WebP.
    """
    if data.startswith(SIGNATURE):
        return _read_png(data)
    try:
        return _read_exif(data)
    except (struct.error, UnicodeDecodeError):
        return None


def read_seed(infotext: str | None) -> int | None:
    """Return the seed in an infotext.

    It is in the last line; the lines above are the prompts, and texts within the line are JSON strings that
    begin after the seed.
    """
    match = _SEED.search(infotext.rpartition("\n")[2]) if infotext else None
    return int(match[1]) if match else None


def _read_png(data: bytes) -> str | None:
    for name, start, end in chunks(data):
        if name == b"tEXt":
            key, _, text = data[start:end].partition(b"\0")
            if key == b"parameters":
                return text.decode("latin-1") or None
        elif name == b"iTXt":
            key, _, rest = data[start:end].partition(b"\0")
            # Two bytes for compression, which SD Web UI does not use, then the language and the translated
            # key.
            if key == b"parameters" and rest[:1] == b"\0":
                return rest[2:].split(b"\0", 2)[-1].decode(errors="replace") or None
    return None


def _read_exif(data: bytes) -> str | None:
    # A JPEG's block follows the 6 bytes of this name; a WebP's follows the chunk's name and its length.
    start = data.find(b"Exif\0\0") + 6 if data.startswith(b"\xff\xd8") else data.find(b"EXIF") + 8
    if start < 8:  # `find` returned -1
        return None
    tiff = data[start:].removeprefix(b"Exif\0\0")
    byte_order = {b"MM": ">", b"II": "<"}.get(tiff[:2])
    if byte_order is None:
        return None
    for tag, _, value in _entries(tiff, byte_order, struct.unpack_from(byte_order + "I", tiff, 4)[0]):
        if tag == _EXIF_DIRECTORY_TAG:
            for inner_tag, length, offset in _entries(tiff, byte_order, value):
                if inner_tag == _USER_COMMENT_TAG and tiff[offset : offset + 8] == _UTF16_PREFIX:
                    return tiff[offset + 8 : offset + length].decode("utf-16-be") or None
    return None


def _entries(tiff: bytes, byte_order: str, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield tag, number of values, and value or offset of each entry of the EXIF directory at `start`."""
    (count,) = struct.unpack_from(byte_order + "H", tiff, start)
    for index in range(count):
        tag, _, length, value = struct.unpack_from(
            byte_order + "HHII", tiff, start + 2 + index * _ENTRY_BYTES
        )
        yield tag, length, value
