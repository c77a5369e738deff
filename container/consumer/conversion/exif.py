"""Write the EXIF data in which the pages of engines look for the texts of an image.

Pillow writes `UserComment` as another type than piexif accepts, with which they read it.
"""

import struct
from collections.abc import Mapping
from typing import Final

EXIF_IFD, USER_COMMENT, MAKE, MODEL = 0x8769, 0x9286, 0x010F, 0x0110
UNICODE: Final = b"UNICODE\0"
_ASCII, _LONG, _UNDEFINED = 2, 4, 7
_HEADER: Final = b"Exif\0\0"
_TIFF_HEADER: Final = b"MM\0*\0\0\0\x08"
_ENTRY_BYTES: Final = 12

_Entry = tuple[int, int, int, bytes]
"""Tag, type, number of values, and the values."""


def exif_bytes(infotext: str | None, tags: Mapping[int, str]) -> bytes:
    """Return EXIF data with the infotext as `UserComment`, and `tags` as ASCII; b"" if there is nothing."""
    entries: list[_Entry] = []
    for tag, text in tags.items():
        value = text.encode("ascii", "replace") + b"\0"
        entries.append((tag, _ASCII, len(value), value))
    if infotext:
        # The directory with the comment follows at the end.
        entries.append((EXIF_IFD, _LONG, 1, b"\0\0\0\0"))
    if not entries:
        return b""
    entries.sort()
    directory = _directory(entries, len(_TIFF_HEADER))
    if infotext:
        at = len(_TIFF_HEADER) + len(directory)
        entries[-1] = (EXIF_IFD, _LONG, 1, at.to_bytes(4, "big"))  # the highest tag of all
        comment = UNICODE + infotext.encode("utf-16-be", "replace")
        inner = _directory([(USER_COMMENT, _UNDEFINED, len(comment), comment)], at)
        directory = _directory(entries, len(_TIFF_HEADER)) + inner
    return _HEADER + _TIFF_HEADER + directory


def _directory(entries: list[_Entry], at: int) -> bytes:
    """Return a directory that begins at the offset `at`, and behind it the values that it refers to."""
    table, values = struct.pack(">H", len(entries)), b""
    values_at = at + 2 + len(entries) * _ENTRY_BYTES + 4
    for tag, kind, count, value in entries:
        if len(value) <= 4:
            field = value.ljust(4, b"\0")
        else:
            field = struct.pack(">I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)  # values begin at even offsets
        table += struct.pack(">HHI", tag, kind, count) + field
    return table + b"\0\0\0\0" + values
