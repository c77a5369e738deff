"""Write the workflow into PNG files, as ComfyUI does, but as its caller sent it.

What ComfyUI would write is the prompt as it ran, with names of files that are the worker's own.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from domain.routing import Runtime

HEADER_BYTES: Final = 33
"""The signature and IHDR, behind which other chunks may begin."""


def texts_of(content: Mapping[str, Any], runtime: Runtime) -> dict[str, str]:
    """Return the texts for the PNG files of a task; none unless the runtime's settings say so."""
    if not runtime.options.get("metadata"):
        return {}
    return {name: json.dumps(content[name]) for name in ("prompt", "workflow") if content.get(name)}


def with_texts(data: bytes, texts: Mapping[str, str]) -> bytes:
    """Return a PNG with the texts, which are ASCII, as chunks of its own."""
    added = b"".join(_chunk(b"tEXt", f"{name}\0{text}".encode()) for name, text in texts.items())
    return data[:HEADER_BYTES] + added + data[HEADER_BYTES:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
