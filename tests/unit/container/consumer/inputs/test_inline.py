"""Inline images of a task, and the limits on what an upscaler makes of an image."""

import base64
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from adapters.public_http.allowance import Allowance
from adapters.public_http.errors import InputError
from container.consumer.engines.sdwebui.inline_images import replace_links
from container.consumer.inputs.fetch import DEFAULT_LIMITS, Fetched
from container.consumer.inputs.images import sniff
from container.consumer.inputs.inline import read_inline
from container.consumer.inputs.task_inputs import TaskInputs
from domain.errors import ErrorCode, PermanentError
from domain.limits import Limits
from runtimes.sdwebui.inputs import input_references


def png(width: int = 8, height: int = 8) -> bytes:
    """Return a small file whose header claims this size."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    data = buffer.getvalue()
    return data[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:]


def to_base64(data: bytes) -> str:
    """Return base64 of some bytes."""
    return base64.b64encode(data).decode()


class FakeFetcher:
    """A fetcher that returns the same image for every link."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def fetch(self, link: str, allowance: Allowance) -> Fetched:
        """Return the image."""
        allowance.count_bytes(len(self.data))
        assert link
        image = sniff(self.data)
        assert image is not None
        return Fetched(self.data, image)


def inline_links(content: dict[str, Any], limits: Limits | None = None, link: bytes = b"") -> dict[str, Any]:
    """Prepare a content whose links lead to `link`."""
    limits = limits or Limits()
    inputs = TaskInputs(FakeFetcher(link or png()), limits).fetch(input_references(content))
    return replace_links(content, inputs, limits)


def refusal(content: dict[str, Any], **options: Any) -> tuple[ErrorCode, str]:
    """Return the reason for which a content is refused."""
    with pytest.raises(PermanentError) as raised:
        inline_links(content, **options)
    return raised.value.code, raised.value.message


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
def test_an_inline_image_is_not_changed(head: str) -> None:
    text = head + base64.encodebytes(png()).decode()

    assert inline_links({"init_images": [text], "mask": ""}) == {"init_images": [text], "mask": ""}


@pytest.mark.parametrize(
    "text",
    [
        "/etc/hostname",
        "/opt/ml/code/models/a.png",
        "../a.png",
        "file:///etc/passwd",
        "data:text/html;base64,PGI+",
        "data:image/png,abc",
        "é",
        "A",
        to_base64(b"<svg/>"),
        to_base64(png()[:8]),
    ],
)
@pytest.mark.parametrize("field", ["/init_images/0", "/alwayson_scripts/controlnet/args/0/image"])
def test_a_text_that_is_no_image_is_refused_with_its_pointer(text: str, field: str) -> None:
    """Some scripts of SD Web UI would open the text as a path on the worker."""
    scripts = {"controlnet": {"args": [{"image": text}]}}
    content = {"init_images": [text]} if "init" in field else {"alwayson_scripts": scripts}
    code, message = refusal(content)

    assert code is ErrorCode.INPUT_NOT_AN_IMAGE
    assert message.startswith(f"{field}: ")
    assert len(text) == 1 or text not in message


def test_the_pixels_of_an_inline_image_are_limited() -> None:
    assert inline_links({"mask": to_base64(png(8192, 8192))})
    assert refusal({"mask": to_base64(png(8192, 8193))})[0] is ErrorCode.INPUT_TOO_LARGE


def test_the_result_of_an_upscaler_is_limited_for_links_and_inline_images() -> None:
    limits = Limits(upscaled_pixels=100 * 100)
    inline = {"imageList": [{"data": to_base64(png(51, 50)), "name": "a"}]}

    assert inline_links({"image": to_base64(png(50, 50))}, limits)
    assert inline_links({"image": to_base64(png(51, 50)), "upscaling_resize": 1}, limits)
    assert refusal(inline, limits=limits)[0] is ErrorCode.INPUT_TOO_LARGE
    by_link = {"image": "https://example.com/a"}
    assert refusal(by_link, limits=limits, link=png(51, 50))[0] is ErrorCode.INPUT_TOO_LARGE


def test_the_number_of_links_is_checked_again() -> None:
    """A message can be published directly, without the checks of the API."""
    content = {"init_images": ["https://example.com/a"] * 2}

    assert inline_links(content, Limits(links=2))["init_images"] == [to_base64(png())] * 2
    assert refusal(content, limits=Limits(links=1))[0] is ErrorCode.INVALID_CONTENT


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(text=st.text(max_size=60) | st.binary(max_size=60).map(to_base64))
def test_any_text_is_an_image_or_raises_input_error(text: str) -> None:
    try:
        pixels = read_inline(text, DEFAULT_LIMITS).file_type.pixels
    except InputError:
        pixels = 1
    assert pixels > 0


def _url_safe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


PNG_WITH_BOTH_CHARACTERS = next(
    data
    for data in (png() + bytes([number, 0xFB, 0xEF, 0xFF] * 3) for number in range(256))
    if {"-", "_"} <= set(_url_safe(data)) and sum(map(_url_safe(data).count, "-_")) % 4 == 0
)
"""A PNG whose base64 has both characters that differ in the URL-safe alphabet, so many of them that what is
left without them is base64 too."""


@pytest.mark.parametrize(
    "text",
    [
        _url_safe(PNG_WITH_BOTH_CHARACTERS),
        _url_safe(PNG_WITH_BOTH_CHARACTERS).rstrip("="),
        to_base64(PNG_WITH_BOTH_CHARACTERS).rstrip("="),
        f"data:application/octet-stream;base64,{to_base64(PNG_WITH_BOTH_CHARACTERS)}",
        f"data:;base64,{to_base64(PNG_WITH_BOTH_CHARACTERS)}",
        f"data:ab;base64,{to_base64(PNG_WITH_BOTH_CHARACTERS)}",  # "dataab" could be base64
        f"DATA:image/png;charset=utf-8;base64,{_url_safe(PNG_WITH_BOTH_CHARACTERS)}",
        f"\n data:image/jpg;base64,{to_base64(PNG_WITH_BOTH_CHARACTERS)}",
    ],
)
def test_base64_that_sd_web_ui_would_misread_is_converted(text: str) -> None:
    assert inline_links({"init_images": [text]})["init_images"] == [to_base64(PNG_WITH_BOTH_CHARACTERS)]


@pytest.mark.parametrize("head", ["", "data:image/png;base64,", "data:image/anything;base64,"])
def test_base64_that_sd_web_ui_reads_is_not_changed(head: str) -> None:
    text = head + to_base64(PNG_WITH_BOTH_CHARACTERS)
    assert inline_links({"init_images": [text]})["init_images"] == [text]
