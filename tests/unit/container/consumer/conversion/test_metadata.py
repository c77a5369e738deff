"""Metadata is removed from image files without changing their pixels."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from container.consumer.conversion.exif import MAKE, exif_bytes
from container.consumer.conversion.metadata import STRIPPERS, is_animated

SECRET = "a secret prompt"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _file(kind: str, **arguments: Any) -> bytes:
    """Return a file with the secret wherever its format can have it."""
    exif = exif_bytes(SECRET, {MAKE: SECRET})
    texts = PngInfo()
    texts.add_text("parameters", SECRET)
    texts.add_text("compressed", SECRET, zip=True)
    texts.add_itxt("international", SECRET)
    per_format: dict[str, dict[str, Any]] = {
        "PNG": {"pnginfo": texts},
        "JPEG": {"comment": SECRET, "quality": 90},
        "WEBP": {"xmp": SECRET.encode(), "quality": 90},
    }
    file = BytesIO()
    picture = Image.effect_noise((40, 30), 80).convert("RGB")
    picture.save(file, kind, exif=exif, icc_profile=PROFILE, **per_format[kind], **arguments)
    return file.getvalue()


def _opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_nothing_is_left_of_the_metadata_and_the_picture_is_the_same(kind: str) -> None:
    data = _file(kind)
    stripped = STRIPPERS[kind](data)
    before, after = _opened(data), _opened(stripped)
    assert after.tobytes() == before.tobytes()
    assert after.info["icc_profile"] == PROFILE
    assert not {"exif", "comment", "xmp", "parameters", "compressed", "international"} & after.info.keys()
    for encoding in ("ascii", "utf-16-be"):
        assert SECRET.encode(encoding) not in stripped
    assert len(stripped) < len(data)
    assert STRIPPERS[kind](stripped) == stripped


def test_the_header_of_a_webp_announces_no_metadata_that_were_removed() -> None:
    data = _file("WEBP")
    assert data[20] & 0x0C == 0x0C, "EXIF and XMP"
    assert STRIPPERS["WEBP"](data)[20] == data[20] & ~0x0C


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_what_follows_the_end_of_a_file_is_removed(kind: str) -> None:
    data = _file(kind)
    assert STRIPPERS[kind](data + b"abcd\4\0\0\0" + SECRET.encode()) == STRIPPERS[kind](data)


def test_a_comment_between_the_scans_of_a_progressive_jpeg_is_removed() -> None:
    data = _file("JPEG", progressive=True)
    last_scan = data.rindex(b"\xff\xda")
    comment = b"\xff\xfe" + (len(SECRET) + 2).to_bytes(2, "big") + SECRET.encode()
    stripped = STRIPPERS["JPEG"](data[:last_scan] + comment + data[last_scan:])
    assert stripped == STRIPPERS["JPEG"](data)
    assert _opened(stripped).tobytes() == _opened(data).tobytes()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_that_breaks_off_anywhere_raises_no_error(kind: str) -> None:
    data = _file(kind)
    for size in range(12, len(data), 7):
        STRIPPERS[kind](data[:size])
        is_animated(data[:size], kind)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_recognized(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    file = BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100)
    assert is_animated(file.getvalue(), kind)
    assert not is_animated(_file(kind), kind)
