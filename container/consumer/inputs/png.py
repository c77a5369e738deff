"""Read the chunks of a PNG."""

from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each chunk's data; stop where the file is truncated."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        start = at + 8
        end = start + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : start], start, min(end, len(data))
        at = end + 4  # behind the checksum
