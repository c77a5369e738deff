import struct
import zlib

import pytest

from container.consumer.engines.comfyui.whole import is_whole
from local.fakes import media
from tests.support.comfyui import png


def with_pixels(data: bytes, pixels: bytes) -> bytes:
    """Return a PNG with other compressed pixels, and the right checksum for them."""
    at = data.index(b"IDAT")
    (size,) = struct.unpack(">I", data[at - 4 : at])
    chunk = (
        struct.pack(">I", len(pixels)) + b"IDAT" + pixels + struct.pack(">I", zlib.crc32(b"IDAT" + pixels))
    )
    return data[: at - 4] + chunk + data[at + size + 8 :]


def test_a_png_is_complete_only_with_all_its_pixels() -> None:
    data = png("red", size=300)
    assert is_whole(data, "PNG")
    assert not any(is_whole(data[:cut], "PNG") for cut in range(0, len(data), 7))
    compressed = data[data.index(b"IDAT") + 4 :]
    assert not is_whole(with_pixels(data, b"garbage!" * 20), "PNG")
    assert not is_whole(with_pixels(data, compressed[:20]), "PNG")


@pytest.mark.parametrize(("data", "kind"), [(media.mp4(8, 8, 2), "MP4"), (media.wav(b"x"), "WAV")])
def test_a_video_or_a_sound_that_breaks_off_is_not_complete(data: bytes, kind: str) -> None:
    assert is_whole(data, kind)
    assert not is_whole(data[:-1], kind)
