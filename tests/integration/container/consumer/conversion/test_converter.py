"""Images are converted in a process of their own, which may end or hang without harm."""

import os
import signal
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from container.consumer.conversion.converter import NOT_CONVERTED_WARNING, Converter
from container.consumer.conversion.process import EncoderProcess, NotConverted
from container.consumer.engines.sdwebui.infotext import read_infotext
from domain.output import OutputOptions

INFOTEXT = "a cät 猫\nNegative prompt: rain\nSteps: 2, Sampler: Euler, CFG scale: 7.0, Seed: 5, Size: 64x48"
WORKFLOW = '{"nodes": [1, 2]}'
SIZE = (64, 48)
FORMATS = ["jpeg", "webp", "png"]


@pytest.fixture(scope="module")
def converter() -> Converter:
    return Converter()


def _encoded(image: Image.Image, kind: str = "PNG", **arguments: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **arguments)
    return file.getvalue()


def _picture(mode: str = "RGB") -> Image.Image:
    return Image.radial_gradient("L").resize(SIZE).convert(mode)


def _png(**texts: str) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    return _encoded(_picture(), pnginfo=info)


def _opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("target", FORMATS)
def test_a_converted_image_keeps_its_infotext_where_web_ui_reads_it(
    converter: Converter, target: str
) -> None:
    converted = converter.apply(_png(parameters=INFOTEXT), OutputOptions(target))
    image = _opened(converted.data)
    assert (image.format, image.size, list(converted.warnings)) == (target.upper(), SIZE, [])
    assert read_infotext(converted.data) == INFOTEXT
    if target != "png":
        # SD Web UI's reader accepts the comment only with the type UNDEFINED (7), as in recorded files.
        assert b"MM\0*" in converted.data
        assert b"\x92\x86\0\x07" in converted.data


def test_a_converted_image_keeps_the_workflow_where_comfyui_has_it_in_a_webp(converter: Converter) -> None:
    converted = converter.apply(_png(prompt="{}", workflow=WORKFLOW), OutputOptions("webp"))
    exif = _opened(converted.data).getexif()
    assert (exif[0x0110], exif[0x010F]) == ("prompt:{}", f"workflow:{WORKFLOW}")
    again = converter.apply(converted.data, OutputOptions("png"))
    assert _opened(again.data).info["workflow"] == WORKFLOW


@pytest.mark.parametrize("target", ["jpeg", "webp"])
def test_an_upscaled_image_of_automatic1111_keeps_its_infotext(converter: Converter, target: str) -> None:
    text = "Postprocess upscale by: 2, Postprocess upscaler: Lanczos"
    converted = converter.apply(_png(postprocessing=text), OutputOptions(target))
    assert (read_infotext(converted.data), list(converted.warnings)) == (text, [])
    both = converter.apply(_png(parameters=INFOTEXT, postprocessing=text), OutputOptions(target))
    assert read_infotext(both.data) == INFOTEXT
    assert list(both.warnings) == [
        f"the metadata postprocessing were left out: {target.upper()} has no place for them"
    ]


def test_texts_that_have_no_place_in_the_new_format_are_named(converter: Converter) -> None:
    converted = converter.apply(_png(parameters=INFOTEXT, Software="x", Author="y"), OutputOptions("webp"))
    assert list(converted.warnings) == [
        "the metadata Software, Author were left out: WEBP has no place for them"
    ]
    many = converter.apply(
        _png(**{f"key{number}": str(number) for number in range(12)}), OutputOptions("webp")
    )
    assert "key9 and 2 more" in many.warnings[0]
    comment = _encoded(_picture(), "JPEG", comment=b"text")
    assert "comment" in converter.apply(comment, OutputOptions("png")).warnings[0]
    xmp = _encoded(_picture(), "WEBP", xmp=b"<x/>")
    assert "xmp" in converter.apply(xmp, OutputOptions("png")).warnings[0]


@pytest.mark.parametrize(
    ("mode", "space", "target", "is_kept"),
    [
        ("CMYK", b"CMYK", "png", False),
        ("L", b"GRAY", "png", True),
        ("L", b"GRAY", "webp", False),
        ("RGB", b"RGB ", "webp", True),
    ],
)
def test_a_color_profile_is_kept_only_if_it_is_for_the_new_colors(
    converter: Converter, mode: str, space: bytes, target: str, is_kept: bool
) -> None:
    profile = bytes(16) + space + bytes(112)
    source = _encoded(_picture(mode), "JPEG", icc_profile=profile)
    converted = converter.apply(source, OutputOptions(target))
    assert _opened(converted.data).info.get("icc_profile") == (profile if is_kept else None)
    assert [space.decode() in warning for warning in converted.warnings] == [True] * (not is_kept)


@pytest.mark.parametrize("target", FORMATS)
def test_a_stripped_image_has_no_text(converter: Converter, target: str) -> None:
    data = _png(parameters=INFOTEXT, prompt="{}", workflow=WORKFLOW, anything="else")
    converted = converter.apply(data, OutputOptions(target, strip=True))
    image = _opened(converted.data)
    assert (image.format, read_infotext(converted.data)) == (target.upper(), None)
    assert not {"parameters", "prompt", "workflow", "anything", "exif"} & image.info.keys()


def test_a_png_that_stays_one_is_not_encoded_again(converter: Converter) -> None:
    data = _encoded(_picture(), compress_level=0)
    assert converter.apply(data, OutputOptions("png")).data is data
    assert converter.apply(data, OutputOptions("png", strip=True)).data == data


def test_the_quality_decides_the_size_of_the_file(converter: Converter) -> None:
    noise = _encoded(Image.effect_noise((200, 200), 90).convert("RGB"))
    for target in ("jpeg", "webp"):
        sizes = [
            len(converter.apply(noise, OutputOptions(target, quality)).data) for quality in (10, 80, 100)
        ]
        assert sizes == sorted(sizes)
        default = converter.apply(noise, OutputOptions(target))
        assert len(default.data) == sizes[1]
        assert converter.apply(default.data, OutputOptions(target)).data is default.data
        assert len(converter.apply(default.data, OutputOptions(target, 10)).data) < sizes[1]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_images_of_any_mode_become_a_jpeg(converter: Converter, mode: str) -> None:
    source = Image.new("I;16", SIZE, 30_000) if mode == "I;16" else _picture(mode)
    converted = converter.apply(_encoded(source), OutputOptions("jpeg", 95))
    expected = source.convert("RGBA").convert("RGB") if mode != "I;16" else Image.new("RGB", SIZE, (117,) * 3)
    found = _opened(converted.data).convert("RGB")
    position = (SIZE[0] // 2, SIZE[1] // 2)
    pairs = zip(expected.getpixel(position), found.getpixel(position), strict=True)  # type: ignore[arg-type]
    assert max(abs(a - b) for a, b in pairs) < 12
    assert not converted.warnings


def test_a_transparent_image_is_put_on_white_and_said_to_be(converter: Converter) -> None:
    source = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    converted = converter.apply(_encoded(source), OutputOptions("jpeg"))
    assert _opened(converted.data).getpixel((5, 5)) == (255, 255, 255)
    assert "transparency" in converted.warnings[0]
    webp = converter.apply(_encoded(source), OutputOptions("webp"))
    assert (_opened(webp.data).mode, list(webp.warnings)) == ("RGBA", [])


@pytest.mark.parametrize("kind", ["GIF", "BMP", "AVIF"])
def test_still_images_of_other_formats_are_converted(converter: Converter, kind: str) -> None:
    converted = converter.apply(_encoded(_picture(), kind), OutputOptions("png"))
    assert (_opened(converted.data).format, list(converted.warnings)) == ("PNG", [])


def _animation(kind: str) -> bytes:
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    return _encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_is_stored_as_it_came_and_said_to_be(converter: Converter, kind: str) -> None:
    data = _animation(kind)
    target = "jpeg" if kind != "WEBP" else "png"
    converted = converter.apply(data, OutputOptions(target))
    assert converted.data is data
    assert "animation" in converted.warnings[0]


def test_a_video_and_an_unknown_file_are_stored_as_they_came(converter: Converter) -> None:
    for data in (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", b"text"):
        converted = converter.apply(data, OutputOptions("webp", strip=True))
        assert (converted.data, list(converted.warnings)) == (data, [NOT_CONVERTED_WARNING])


def test_too_much_text_for_a_jpeg_is_left_out_and_said_to_be(converter: Converter) -> None:
    data = _png(parameters="x" * 40_000)
    converted = converter.apply(data, OutputOptions("jpeg"))
    assert "longer than a JPEG can have" in converted.warnings[0]
    assert read_infotext(converted.data) is None
    assert read_infotext(converter.apply(data, OutputOptions("webp")).data) == "x" * 40_000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_encoded(Image.new("L", (17_000, 1))), "at most 16383 pixels"),
        (_png(parameters=INFOTEXT)[:-40], "cannot be decoded"),
        (_encoded(Image.new("1", (10_000, 9_000))), "more than 67108864 pixels"),
    ],
    ids=["too wide", "broken off", "too large"],
)
def test_what_cannot_be_converted_is_stored_without_metadata_and_said_to_be(
    converter: Converter, data: bytes, reason: str
) -> None:
    converted = converter.apply(data, OutputOptions("webp", strip=True))
    assert converted.data.startswith(b"\x89PNG")
    assert read_infotext(converted.data) is None
    (warning,) = converted.warnings
    assert "stored as PNG" in warning
    assert reason in warning


def _options(**changes: Any) -> dict[str, Any]:
    return {"source": "PNG", "format": "jpeg", "quality": 80, "strip": False} | changes


@pytest.fixture
def encoder() -> EncoderProcess:
    return EncoderProcess(1_000_000, seconds=20)


def test_an_image_that_expands_beyond_the_memory_limit_harms_nothing(encoder: EncoderProcess) -> None:
    with pytest.raises(NotConverted, match="more than 1000000 pixels"):
        encoder.convert(_encoded(Image.new("1", (9_000, 9_000))), _options())
    # One that lies about its size gets as far as the limit: 160 MB for 1,000,000 pixels.
    hidden = EncoderProcess(10**9, memory_bytes=200 * 1024**2, seconds=20)
    with pytest.raises(NotConverted, match="too much memory"):
        hidden.convert(_encoded(Image.new("1", (15_000, 15_000))), _options())
    before = hidden.pid
    assert hidden.convert(_png(), _options())[0].startswith(b"\xff\xd8")
    assert hidden.pid == before, "the process has survived"


def test_a_process_that_was_killed_is_replaced(encoder: EncoderProcess) -> None:
    encoder.convert(_png(), _options())
    first = encoder.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert encoder.convert(_png(), _options())[0].startswith(b"\xff\xd8")
    assert encoder.pid != first


def test_a_process_that_hangs_is_ended(encoder: EncoderProcess) -> None:
    impatient = EncoderProcess(1_000_000, seconds=1.0)
    impatient.convert(_png(), _options())
    assert impatient.pid is not None
    os.kill(impatient.pid, signal.SIGSTOP)
    started = time.monotonic()
    assert impatient.convert(_encoded(Image.effect_noise((1000, 1000), 90)), _options())[0]
    assert time.monotonic() - started < 15


class _UnexpectedError(Exception):
    """What nobody expects in the middle of a conversion."""


@pytest.mark.parametrize("fault", [_UnexpectedError, MemoryError])
def test_a_fault_in_one_conversion_gives_no_image_to_the_next_one(
    encoder: EncoderProcess, fault: type[Exception]
) -> None:
    red, blue = (_encoded(Image.new("RGB", SIZE, color)) for color in ("red", "blue"))
    encoder.convert(red, _options(format="png"))
    waiting = encoder.pid
    assert waiting is not None

    def fail(*_: Any) -> None:
        os.kill(waiting, signal.SIGCONT)
        raise fault

    before = signal.signal(signal.SIGUSR1, fail)
    os.kill(waiting, signal.SIGSTOP)  # so that the fault comes while the answer is awaited
    threading.Timer(0.3, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
    try:
        found = _opened(encoder.convert(red, _options(format="png"))[0])
        assert found.getpixel((0, 0)) == (255, 0, 0)
    except _UnexpectedError:
        assert (fault, encoder.pid) == (_UnexpectedError, None)
    finally:
        signal.signal(signal.SIGUSR1, before)
    found = _opened(encoder.convert(blue, _options(format="png"))[0])
    assert found.getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("fault", ["other request", "long answer", "long image", "no JSON", "no object"])
def test_an_answer_that_cannot_be_one_to_its_request_is_not_used(fault: str) -> None:
    lying = EncoderProcess(1_000_000, seconds=20, module="tests.support.lying_encoder")
    with pytest.raises(NotConverted, match="no usable answer"):
        lying.convert(_png(), _options(fault=fault))
    assert lying.pid is None


def test_without_a_process_an_image_is_stored_as_it_came() -> None:
    broken = EncoderProcess(1_000_000, seconds=0.0)
    with pytest.raises(NotConverted, match="ended, took too long"):
        broken.convert(_png(), _options())


def test_the_process_has_no_credentials_and_limited_memory(
    encoder: EncoderProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    encoder.convert(_png(), _options())
    environment = Path(f"/proc/{encoder.pid}/environ").read_bytes()
    assert b"AWS" not in environment
    assert b"secret" not in environment
    limits = Path(f"/proc/{encoder.pid}/limits").read_text(encoding="ascii")
    (memory,) = [line.split()[3] for line in limits.splitlines() if line.startswith("Max address space")]
    assert int(memory) == 128 * 1024**2 + 32 * 1_000_000
