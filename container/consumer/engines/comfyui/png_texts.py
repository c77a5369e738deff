"""Write the workflow into PNG files, as ComfyUI does, but as its caller sent it.

What ComfyUI would write is the prompt as it ran, with names of files that are the worker's own.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from container.consumer.inputs.png import chunks
from domain.routing import Runtime

NAMES: Final = ("prompt", "workflow")
"""The texts that ComfyUI writes."""

TEXT_CHUNKS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
LENGTH_AND_NAME_BYTES: Final = 8
CHECKSUM_BYTES: Final = 4
HEADER_BYTES: Final = 33
"""The signature and IHDR, behind which other chunks may begin."""


def texts_of(content: Mapping[str, Any], runtime: Runtime) -> dict[str, str]:
    """Return the texts for the PNG files of a task; none unless the runtime's settings say so."""
    if not runtime.options.get("metadata"):
        return {}
    return {name: json.dumps(content[name]) for name in NAMES if content.get(name)}


def with_texts(data: bytes, texts: Mapping[str, str]) -> bytes:
    """Return a PNG with these texts, which are ASCII, in place of those that ComfyUI may have written."""
    for start, end in reversed(list(_own_texts(data))):
        data = data[:start] + data[end:]
    added = b"".join(_chunk(b"tEXt", f"{name}\0{text}".encode()) for name, text in texts.items())
    return data[:HEADER_BYTES] + added + data[HEADER_BYTES:] if added else data


def _own_texts(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each text that ComfyUI wrote begins and ends."""
    keywords = tuple(f"{name}\0".encode() for name in NAMES)
    for name, start, end in chunks(data):
        if name in TEXT_CHUNKS and data.startswith(keywords, start):
            yield start - LENGTH_AND_NAME_BYTES, end + CHECKSUM_BYTES


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
