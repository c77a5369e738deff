"""Write the facts of a picture into its lowest bits, and read them again.

A diffusion model's picture shows its prompt; the fake's has to prove it also to a test. The facts are
invisible, survive any lossless format, and are lost with any other change, so that whoever reads them sees
the very pixels that the fake made.
"""

import json
import struct
import zlib
from typing import Any, Final

from PIL import Image

from local.fakes.comfyui.values import Facts

MAGIC: Final = b"FAKE"
HEAD: Final = struct.Struct(">4sI")


def write(image: Image.Image, facts: Facts) -> Image.Image:
    """Return an RGB picture with facts in its lowest bits, or unchanged if it is too small for them."""
    packed = zlib.compress(json.dumps(facts, sort_keys=True).encode(), 9)
    content = HEAD.pack(MAGIC, len(packed)) + packed
    pixels = bytearray(image.convert("RGB").tobytes())
    if len(content) * 8 > len(pixels):
        return image
    for place, byte in enumerate(content):
        for bit in range(8):
            at = place * 8 + bit
            pixels[at] = pixels[at] & 0xFE | byte >> bit & 1
    return Image.frombytes("RGB", image.size, bytes(pixels))


def read(image: Image.Image) -> dict[str, Any] | None:
    """Return the facts in a picture, or None if there are none."""
    pixels = image.convert("RGB").tobytes()
    head = _bytes(pixels, 0, HEAD.size)
    if len(head) < HEAD.size or HEAD.unpack(head)[0] != MAGIC:
        return None
    try:
        facts: dict[str, Any] = json.loads(zlib.decompress(_bytes(pixels, HEAD.size, HEAD.unpack(head)[1])))
    except (zlib.error, ValueError):
        return None
    return facts


def _bytes(pixels: bytes, start: int, count: int) -> bytes:
    bits = pixels[start * 8 : (start + count) * 8]
    return bytes(
        sum((bits[place + bit] & 1) << bit for bit in range(8)) for place in range(0, len(bits) - 7, 8)
    )
