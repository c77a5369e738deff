"""A contradictory header never lets a larger image pass than the decoder would create."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from adapters.public_http.errors import InputError
from container.consumer.inputs.fetch import check_image
from container.consumer.inputs.images import sniff

LARGE_SIDE = 60_000


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


PIXELS_AND_END = chunk(b"IDAT", zlib.compress(b"\0\0" * 8)) + chunk(b"IEND", b"")


def frame(width: int, height: int, marker: int = 0xC0) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"


def jpeg(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + b"\xff\xda\0\x02" + b"\0" * 16


def gif(*blocks: bytes) -> bytes:
    return b"GIF89a\x08\0\x08\0\0\0\0" + b"".join(blocks) + b"\x02\x02\x44\x01\0;"


def gif_frame(width: int, height: int) -> bytes:
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)


def hidden_in_a_block(before: bytes) -> bytes:
    """Return a GIF with a large second frame that a reader finds if it takes the first one for a block."""
    small = gif_frame(8, 8)  # its comma reads as the length of a block: 44 bytes
    return gif(before, small, b"\0" * (45 - len(small)), b"\0", gif_frame(LARGE_SIDE, 8))


def animated_avif(*, track: bool) -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in (0, 200)]
    frames[0].save(buffer, "AVIF", save_all=True, append_images=frames[1:], speed=10)
    data = bytearray(buffer.getvalue())
    if track:
        at = data.index(b"tkhd") + 4
        at += 88 if data[at] == 1 else 76
        data[at : at + 8] = struct.pack(">II", LARGE_SIDE << 16, LARGE_SIDE << 16)
    else:
        at = data.index(b"ispe") + 8
        data[at : at + 8] = struct.pack(">II", LARGE_SIDE, LARGE_SIDE)
    return bytes(data)


CONTRADICTORY_FILES = {
    "PNG: small before large": png(header(8, 8), header(LARGE_SIDE, LARGE_SIDE), PIXELS_AND_END),
    "PNG: large before small": png(header(LARGE_SIDE, LARGE_SIDE), header(8, 8), PIXELS_AND_END),
    "PNG: a wide one behind a text": png(
        header(8, 8), chunk(b"tEXt", b"a\0b"), header(LARGE_SIDE, 8), PIXELS_AND_END
    ),
    "PNG: a text before the header": png(
        chunk(b"tEXt", b"a\0b"), header(LARGE_SIDE, LARGE_SIDE), PIXELS_AND_END
    ),
    "JPEG: two frames": jpeg(frame(8, 8), frame(LARGE_SIDE, LARGE_SIDE)),
    "JPEG: a wide and a high frame": jpeg(frame(LARGE_SIDE, 8), frame(8, LARGE_SIDE)),
    "JPEG: a frame behind the end": jpeg(frame(8, 8), b"\xff\xd9", frame(LARGE_SIDE, LARGE_SIDE)),
    "JPEG: a hierarchical frame": jpeg(frame(8, 8), frame(LARGE_SIDE, LARGE_SIDE, 0xDE)),
    "JPEG: a frame in what JPG marks": jpeg(frame(8, 8), b"\xff\xc8\0\x0f", frame(LARGE_SIDE, LARGE_SIDE)),
    "JPEG: a frame in what JPG0 marks": jpeg(frame(8, 8), b"\xff\xf0\0\x0f", frame(LARGE_SIDE, LARGE_SIDE)),
    "JPEG: a frame behind an escaped byte": jpeg(frame(8, 8), b"\xff\0\0\x0f", frame(LARGE_SIDE, LARGE_SIDE)),
    "GIF: a frame beyond the screen": gif(gif_frame(LARGE_SIDE, LARGE_SIDE)),
    "GIF: an empty control block": hidden_in_a_block(b"!\xf9\0"),
    "GIF: an empty text block": hidden_in_a_block(b"!\x01\0"),
    "GIF: a loop without a number": hidden_in_a_block(b"!\xff\x0bNETSCAPE2.0\0"),
    "WebP: a vast canvas": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x5f\xea\0\x5f\xea\0",
    "AVIF: a vast track": animated_avif(track=True),
    "AVIF: a vast item": animated_avif(track=False),
}


@pytest.mark.parametrize("name", CONTRADICTORY_FILES)
def test_a_contradictory_header_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        check_image(CONTRADICTORY_FILES[name])


@pytest.mark.parametrize("size", [(8193, 1), (1, 8193), (65_536, 1), (67_108_864, 1)])
def test_each_side_is_limited_regardless_of_the_area(size: tuple[int, int]) -> None:
    """To fill a size, SD Web UI scales an image by its shorter side, so that a long one needs much memory."""
    with pytest.raises(InputError, match="8,192 pixels per side"):
        check_image(png(header(*size), PIXELS_AND_END))
    assert check_image(png(header(8192, 1), PIXELS_AND_END)).size == (8192, 1)


SIDES = st.sampled_from([1, 8, 300, LARGE_SIDE])
RUBBISH = st.binary(max_size=12)
PNGS = st.lists(
    st.builds(header, SIDES, SIDES)
    | st.builds(chunk, st.sampled_from([b"tEXt", b"IDAT", b"zzZz"]), RUBBISH)
    | RUBBISH,
    max_size=4,
).map(lambda chunks: png(header(8, 8), *chunks, PIXELS_AND_END))
SEGMENTS = st.builds(frame, SIDES, SIDES, st.integers(0xC0, 0xDF)) | st.builds(
    lambda marker, data: bytes([0xFF, marker]) + struct.pack(">H", 2 + len(data)) + data,
    st.integers(0, 0xFF),
    RUBBISH | st.builds(frame, SIDES, SIDES),
)
JPEGS = st.lists(SEGMENTS | RUBBISH, max_size=5).map(lambda segments: jpeg(frame(8, 8), *segments))
BLOCKS = st.lists(RUBBISH.filter(len), max_size=2).map(
    lambda blocks: b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
)
EXTENSIONS = st.builds(
    lambda label, name, blocks: b"!" + bytes([label]) + name + blocks,
    st.sampled_from([0x01, 0xF9, 0xFE, 0xFF]),
    st.sampled_from([b"", b"\x0bNETSCAPE2.0"]),
    BLOCKS,
)
GIFS = st.lists(EXTENSIONS | st.builds(gif_frame, SIDES, SIDES) | RUBBISH, max_size=5).map(
    lambda blocks: gif(*blocks, gif_frame(8, 8))
)


@settings(max_examples=600, deadline=None)
@given(data=PNGS | JPEGS | GIFS)
def test_no_accepted_image_is_larger_in_pillow(data: bytes) -> None:
    image = sniff(data)
    if image is None or not image.pixels:
        return
    opened = opened_size(lambda: Image.open(io.BytesIO(data)))
    assert opened is None or all(
        own_side >= pillow_side for own_side, pillow_side in zip(image.size, opened, strict=True)
    )


def opened_size(open_image: Callable[[], Image.Image]) -> tuple[int, int] | None:
    """Return the size that Pillow would allocate, or None if it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return open_image().size
        except Image.DecompressionBombError:
            return None
        except Exception:  # noqa: BLE001 - broken on purpose: Pillow refuses in many ways
            return None
