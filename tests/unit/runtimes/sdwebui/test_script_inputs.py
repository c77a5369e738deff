"""Which links in scripts are downloaded, and which are refused because nobody would download them."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from runtimes.links import is_link
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.inputs import image_fields
from runtimes.sdwebui.task_type import TaskType

LINK = "https://example.com/cat.png"
INSIDE = "http://169.254.169.254/latest/meta-data"


def encoded(format_: str) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format_)
    return base64.b64encode(buffer.getvalue()).decode()


PNG = encoded("PNG")


def faults(content: dict[str, Any], tasktype: TaskType = TaskType.IMAGE_TO_IMAGE) -> dict[str, str]:
    content = {"init_images": [PNG]} | content if tasktype is TaskType.IMAGE_TO_IMAGE else content
    check = ContentCheck(tasktype, None, path="")
    check.normalize(content)
    return {fault.path: fault.message for fault in check.faults}


def controlnet(**unit: Any) -> dict[str, Any]:
    return {"alwayson_scripts": {"controlnet": {"args": [{"image": PNG} | unit]}}}


def script(*arguments: Any) -> dict[str, Any]:
    return {"alwayson_scripts": {"anything": {"args": list(arguments)}}}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (controlnet(image=LINK), "/alwayson_scripts/controlnet/args/0/image"),
        (controlnet(image=[LINK, None]), "/alwayson_scripts/controlnet/args/0/image/0"),
        (controlnet(image={"image": PNG, "mask": LINK}), "/alwayson_scripts/controlnet/args/0/image/mask"),
        (controlnet(image=[{"image": LINK}]), "/alwayson_scripts/controlnet/args/0/image/0/image"),
        (controlnet(input_image=LINK), "/alwayson_scripts/controlnet/args/0/input_image"),
        (controlnet(effective_region_mask=LINK), "/alwayson_scripts/controlnet/args/0/effective_region_mask"),
        (script("canny", 1.0, LINK), "/alwayson_scripts/anything/args/2"),
        (script([1, [LINK]]), "/alwayson_scripts/anything/args/0/1/0"),
        (script("https://example.com/my photos/a b.png"), "/alwayson_scripts/anything/args/0"),
        ({"script_args": [1, LINK]}, "/script_args/1"),
        (script({"face_image": LINK}), "/alwayson_scripts/anything/args/0/face_image"),
        (script({"refImg": [LINK, "no link"]}), "/alwayson_scripts/anything/args/0/refImg/0"),
        (script({"last_frame": LINK}), "/alwayson_scripts/anything/args/0/last_frame"),
    ],
)
def test_a_link_is_downloaded_wherever_an_image_is_expected(content: dict[str, Any], path: str) -> None:
    assert [image.path for image in image_fields(content) if image.is_link] == [path]
    assert faults(content) == {}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (controlnet(something=INSIDE), "/alwayson_scripts/controlnet/args/0/something"),
        (controlnet(something=[INSIDE]), "/alwayson_scripts/controlnet/args/0/something/0"),
        (controlnet(deep={"er": [{"one": INSIDE}]}), "/alwayson_scripts/controlnet/args/0/deep/er/0/one"),
        (script(f"{INSIDE} or so"), "/alwayson_scripts/anything/args/0"),
        ({"alwayson_scripts": {"anything": {"args": [], "else": INSIDE}}}, "/alwayson_scripts/anything/else"),
        ({"script_args": [["s3: //x"]]}, "/script_args/0/0"),
    ],
)
def test_a_link_that_would_not_be_downloaded_is_refused(content: dict[str, Any], path: str) -> None:
    messages = faults(content)
    assert list(messages) == [path]
    assert "give the image as base64" in messages[path]


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"latent_mask": LINK}, "/latent_mask"),
        ({"firstpass_image": f" {LINK}"}, "/firstpass_image"),
        ({"image_url": LINK}, "/image_url"),
        ({"images": [{"url": "s3://bucket/cat.png"}]}, "/images/0/url"),
        ({"init_images": [PNG, {"src": LINK}]}, "/init_images/1/src"),
        ({"override_settings": {"sd_vae": LINK}}, "/override_settings/sd_vae"),
    ],
)
def test_a_link_in_a_field_without_images_is_refused(content: dict[str, Any], path: str) -> None:
    assert "links are downloaded in init_images" in faults(content)[path]


def test_texts_that_only_mention_a_link_are_accepted() -> None:
    assert faults({"negative_prompt": LINK, "comments": {"source": LINK}, "note": f"see {LINK}"}) == {}


@pytest.mark.parametrize(
    "link", ["https://user:hunter2@example.com/a.png", "http://user@example.com", "https://:x@h.example/"]
)
def test_a_user_or_password_in_a_link_is_refused_before_it_is_stored(link: str) -> None:
    for content, path in (
        ({"init_images": [link]}, "/init_images/0"),
        (controlnet(image=link), "/alwayson_scripts/controlnet/args/0/image"),
        (script(link), "/alwayson_scripts/anything/args/0"),
    ):
        message = faults(content)[path]
        assert "inputs.credentials" in message
        assert "hunter2" not in message


@pytest.mark.parametrize("text", ["gs://bucket/a.png", "ftp://example.com/a.png", "file:///etc/passwd"])
def test_the_error_for_another_scheme_lists_the_supported_ones(text: str) -> None:
    assert "links are https://, http:// or s3://" in faults({"mask": text})["/mask"]


def test_a_prompt_that_is_a_link_remains_a_prompt() -> None:
    assert faults({"prompt": LINK} | script({"ad_prompt": INSIDE, "ad_negative_prompt": LINK})) == {}


@pytest.mark.parametrize(
    "unit",
    [
        {"batch_input_gallery": [["/etc/passwd"]]},
        {"batch_mask_gallery": [{"name": "/etc/passwd"}]},
        {"batch_images": ["/etc/passwd"]},
        {"batch_images": "/etc"},
        {"batch_image_dir": "/etc"},
    ],
)
def test_paths_on_the_worker_are_refused_in_lists_too(unit: dict[str, Any]) -> None:
    ((path, message),) = faults(controlnet(**unit)).items()
    assert path == f"/alwayson_scripts/controlnet/args/0/{next(iter(unit))}"
    assert "paths on the worker" in message


@pytest.mark.parametrize("value", [PNG, [PNG], [LINK]])
def test_values_that_controlnet_would_unpickle_are_refused(value: Any) -> None:
    messages = faults(controlnet(ipadapter_input=value))
    assert "would unpickle it" in messages["/alwayson_scripts/controlnet/args/0/ipadapter_input"]


def test_empty_arguments_of_an_exported_request_are_accepted() -> None:
    empty: dict[str, Any] = {
        "ipadapter_input": None,
        "batch_input_gallery": [],
        "batch_images": "",
        "batch_mask_gallery": None,
    }
    assert faults(controlnet(**empty, effective_region_mask=None)) == {}


HEIC = base64.b64encode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40).decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEIC, "it is HEIC, which is not read; save it as JPEG"),
        (f"data:image/heic;base64,{HEIC}", "it is HEIC"),
        (base64.b64encode(b"\0\0\0\x18ftypmif1\0\0\0\0msf1miaf" + b"\0" * 40).decode(), "it is HEIC"),
        (base64.b64encode(b"II+\0\x08\0\0\0" + b"\0" * 40).decode(), "it is TIFF"),
        (encoded("TIFF"), "it is TIFF; save it as PNG"),
        (base64.b64encode(b"<!DOCTYPE html><html>").decode(), "it is a web page (HTML)"),
        (base64.b64encode(b"<?xml version='1.0'?><svg/>").decode(), "it is a drawing (SVG)"),
        (base64.b64encode(b"%PDF-1.7").decode(), "it is a PDF"),
    ],
)
def test_an_image_of_an_unsupported_format_is_named_and_refused_at_submit(text: str, says: str) -> None:
    assert says in faults({"init_images": [text]})["/init_images/0"]
    assert says in faults(controlnet(image=[text]))["/alwayson_scripts/controlnet/args/0/image/0"]
    assert says in faults({"image": text}, TaskType.EXTRA_SINGLE_IMAGE)["/image"]


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP"])
@pytest.mark.parametrize("head", ["", "data:image/whatever;base64,", "\n"])
def test_every_supported_image_format_is_accepted(format_: str, head: str) -> None:
    text = head + encoded(format_)
    assert (
        faults(
            {
                "init_images": [text],
                "mask": "\n".join(text[start : start + 76] for start in range(0, len(text), 76)),
            }
        )
        == {}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com/user photos/Screenshot 2026-05-01 at 10.35.08.png", True),
        ("https://example.com/a.png and a cat", False),
        ("https://example.com/ and a cat", False),
        ("https://example.com/a\nb.png", False),
    ],
)
def test_a_text_with_blanks_is_a_link_if_it_ends_with_a_file_extension(text: str, *, expected: bool) -> None:
    assert is_link(text) is expected
