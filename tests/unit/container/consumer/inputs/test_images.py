"""The format and size of a file, read from its header only."""

import io
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from container.consumer.inputs.images import FORMATS, Sniffed, sniff
from runtimes.media import AUDIO_TYPES, IMAGE_TYPES, VIDEO_TYPES

STILL = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "AVIF": "avif"}
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"icc_profile": b"profile"}),
    ("GIF", {"comment": b"x" * 1000}),
    ("BMP", {}),
    ("AVIF", {"speed": 10}),
]
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm"


def image(format_: str, width: int, height: int, **options: Any) -> bytes:
    """Return an encoded image."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (1, 2, 3)).save(buffer, format_, **options)
    return buffer.getvalue()


JPEG_REST = b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00\xff\xda"
GIF_REST = b"\x2c\0\0\0\0\x08\0\x08\0\0"
AVIF = image("AVIF", 8, 8)


@pytest.mark.parametrize(("format_", "options"), KINDS, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (64, 48), (3, 700)], ids=str)
def test_format_and_size_are_those_that_pillow_finds(
    format_: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    data = image(format_, *size, **options)
    with Image.open(io.BytesIO(data)) as opened:
        assert sniff(data) == Sniffed(format_, Image.MIME[format_], STILL[format_], *opened.size)


def test_an_animation_has_the_size_of_a_frame() -> None:
    frames = [Image.new("RGB", (20, 10), (shade, 0, 0)) for shade in (0, 120, 240)]
    for format_ in ("GIF", "WEBP", "PNG"):
        buffer = io.BytesIO()
        frames[0].save(buffer, format_, save_all=True, append_images=frames[1:])
        header = sniff(buffer.getvalue())
        assert header is not None
        assert (header.format, header.width, header.height) == (format_, 20, 10)


@pytest.mark.parametrize(
    ("data", "format_", "content_type", "extension"),
    [
        (b"\0\0\0\x18ftypisom\0\0\2\0isommp42", "MP4", "video/mp4", "mp4"),
        (b"\0\0\0\x14ftypmp42\0\0\0\0mp41", "MP4", "video/mp4", "mp4"),
        (b"\0\0\0\x18ftypXAVC\0\0\0\0mif1mp42", "MP4", "video/mp4", "mp4"),
        (b"\0\0\0\x14ftypisomavifmp41", "MP4", "video/mp4", "mp4"),
        (WEBM, "WEBM", "video/webm", "webm"),
        (WEBM.replace(b"\x84webm", b"\x88matroska"), "MKV", "video/x-matroska", "mkv"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "MOV", "video/quicktime", "mov"),
        (b"\0\0\0\x1cftypM4A \0\0\2\0M4A isomiso2", "M4A", "audio/mp4", "m4a"),
        (b"RIFF\0\0\0\0WAVE", "WAV", "audio/wav", "wav"),
        (b"fLaC\0\0\0\x22", "FLAC", "audio/flac", "flac"),
        (b"ID3\4\0\0\0\0\0#TSSE", "MP3", "audio/mpeg", "mp3"),
        (b"\xff\xfb\x90\x00", "MP3", "audio/mpeg", "mp3"),
        (b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1", "OPUS", "audio/ogg", "opus"),
        (b"OggS\0\2" + bytes(20) + b"\1\x1e\1vorbis", "OGG", "audio/ogg", "ogg"),
    ],
)
def test_a_video_or_a_sound_has_a_format_but_no_size(
    data: bytes, format_: str, content_type: str, extension: str
) -> None:
    assert sniff(data) == Sniffed(format_, content_type, extension)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg/>",
        b"BM, he said",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        image("TIFF", 8, 8),
        b"\xff\xd8",
        b"\xff\xff\xff\xff",
        b"OggS\0\2" + bytes(20) + b"\1\x1e\x80theora",
    ],
)
def test_any_other_file_is_not_recognised(data: bytes) -> None:
    assert sniff(data) is None


@pytest.mark.parametrize("name", list(STILL))
def test_an_incomplete_header_has_no_size(name: str) -> None:
    content = image(name, 64, 48)
    for length in range(min(len(content), 200)):
        header = sniff(content[:length])
        assert header is None or (
            header.format == name and header.width in {None, 64} and header.height in {None, 48}
        )


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 1_000_000 + JPEG_REST,
        b"\xff\xd8\xff\xe0\x00\x02" + b"\xff\xe0\x00\x02" * 100_000 + JPEG_REST,
        b"GIF89a\x08\0\x08\0\0\0\0" + b"\x21\xfe\x00" * 100_000 + GIF_REST,
        b"GIF89a\x08\0\x08\0\0\0\0\x21\xfe" + b"\x01x" * 100_000 + b"\0" + GIF_REST,
        AVIF[:32] + struct.pack(">I4s", 8, b"free") * 100_000 + AVIF[32:],
    ],
    ids=["fill bytes", "JPEG segments", "GIF extensions", "GIF blocks", "boxes"],
)
def test_reading_an_endless_header_ends(data: bytes) -> None:
    header = sniff(data)
    assert header is not None
    assert header.pixels == 0


@settings(max_examples=150, deadline=None)
@given(
    which=st.sampled_from([image(format_, 40, 30, **options) for format_, options in KINDS]),
    at=st.integers(0, 400),
    new=st.binary(max_size=12),
)
@example(which=image("AVIF", 40, 30), at=0, new=b"\0\0\0\0")
def test_a_damaged_header_raises_no_exception(which: bytes, at: int, new: bytes) -> None:
    header = sniff(which[:at] + new + which[at + len(new) :])
    assert header is None or header.pixels >= 0


@settings(max_examples=150, deadline=None)
@given(
    magic=st.sampled_from(
        [
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff",
            b"RIFF\0\0\0\0WEBPVP8",
            b"GIF89a",
            b"BM",
            b"\0\0\0\x20ftypavif",
        ]
    ),
    rubbish=st.binary(max_size=300),
)
def test_rubbish_after_a_magic_number_raises_no_exception(magic: bytes, rubbish: bytes) -> None:
    header = sniff(magic + rubbish)
    assert header is None or header.format in {format_ for format_, *_ in FORMATS}


def test_the_types_that_can_be_uploaded_are_those_that_are_recognized() -> None:
    assert {one for _, one, *_ in FORMATS} == set(IMAGE_TYPES | VIDEO_TYPES | AUDIO_TYPES)
