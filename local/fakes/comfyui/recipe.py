"""Write the facts of a picture into its lowest bits, and read them again.

So a test can prove from which prompt, models and inputs a picture was made. The facts are invisible, survive
any lossless format, and are destroyed by any other change, so that a picture in which they can be read has
exactly the pixels that the fake made.
"""

import json
import struct
import zlib
from typing import Any, Final

from PIL import Image

from local.fakes.comfyui.values import Facts

MAGIC: Final = b"FAKE"
HEADER: Final = struct.Struct(">4sI")


def write(image: Image.Image, facts: Facts) -> Image.Image:
    """Return an RGB picture with facts in its lowest bits, or unchanged if it is too small for them."""
    packed = zlib.compress(json.dumps(facts, sort_keys=True).encode(), 9)
    content = HEADER.pack(MAGIC, len(packed)) + packed
    pixels = bytearray(image.convert("RGB").tobytes())
    if len(content) * 8 > len(pixels):
        return image
    for index, byte in enumerate(content):
        for bit in range(8):
            position = index * 8 + bit
            pixels[position] = pixels[position] & 0xFE | byte >> bit & 1
    return Image.frombytes("RGB", image.size, bytes(pixels))


def read(image: Image.Image) -> dict[str, Any] | None:
    """Return the facts in a picture, or None if there are none."""
    pixels = image.convert("RGB").tobytes()
    header = _read_bytes(pixels, 0, HEADER.size)
    if len(header) < HEADER.size or HEADER.unpack(header)[0] != MAGIC:
        return None
    try:
        facts: dict[str, Any] = json.loads(
            zlib.decompress(_read_bytes(pixels, HEADER.size, HEADER.unpack(header)[1]))
        )
    except (zlib.error, ValueError):
        return None
    return facts


def _read_bytes(pixels: bytes, start: int, count: int) -> bytes:
    bits = pixels[start * 8 : (start + count) * 8]
    return bytes(
        sum((bits[start_bit + bit] & 1) << bit for bit in range(8))
        for start_bit in range(0, len(bits) - 7, 8)
    )
