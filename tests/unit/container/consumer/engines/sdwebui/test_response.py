"""Pictures and additional images in the responses of SD Web UI, as recorded from real servers."""

import base64
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from container.consumer.engines.base import Result
from container.consumer.engines.sdwebui.infotext import read_infotext, read_seed
from container.consumer.engines.sdwebui.inline_images import replace_links
from container.consumer.engines.sdwebui.request import request_body
from container.consumer.engines.sdwebui.response import read_result
from container.consumer.inputs.fetch import Fetched
from container.consumer.inputs.images import sniff
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.sdwebui.inputs import SCRIPT_IMAGE_KEYS, input_references
from runtimes.sdwebui.task_type import TaskType
from tests.support.recordings import jobs, recording

SETTINGS_LINE = "Steps: 2, Sampler: Euler, CFG scale: 7.0, Seed: {}, Size: 64x64"


def text(seed: int) -> str:
    return f"a lighthouse\n{SETTINGS_LINE.format(seed)}"


def png(infotext: str | None = None) -> str:
    chunks = PngInfo()
    if infotext:
        chunks.add_text("parameters", infotext)
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG", pnginfo=chunks)
    return base64.b64encode(buffer.getvalue()).decode()


def read(
    images: list[str], info: dict[str, Any], tasktype: TaskType = TaskType.IMAGE_TO_IMAGE, **content: Any
) -> Result:
    body = json.dumps({"images": images, "parameters": {}, "info": json.dumps(info)}).encode()
    return read_result(body, tasktype, content, checkpoint=None, sampler=None)


def kinds(result: Result) -> list[tuple[int | None, str, int | None]]:
    """Return number, kind and seed of each artifact; only pictures have a number."""
    return [(artifact.number, artifact.kind, artifact.receipt.get("seed")) for artifact in result.artifacts]


def image_for(described: Any) -> str:
    """Return an image like a recorded one: with its size, its format and its infotext."""
    if isinstance(described, str):
        return described
    description = described["$image"]
    buffer = io.BytesIO()
    image = Image.new("RGB", description["size"])
    if description["format"] == "PNG":
        chunks = PngInfo()
        if description.get("parameters"):
            chunks.add_text("parameters", description["parameters"])
        image.save(buffer, "PNG", pnginfo=chunks)
    else:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + (description.get("comment") or "").encode("utf-16-be")
        image.save(buffer, description["format"], exif=exif)
    return base64.b64encode(buffer.getvalue()).decode()


def result_of(tasktype: TaskType, request: dict[str, Any], answer: dict[str, Any]) -> Result:
    answer = dict(answer)
    if "images" in answer:
        answer["images"] = [image_for(image) for image in answer["images"]]
    if "image" in answer:
        answer["image"] = image_for(answer["image"])
    if not isinstance(answer.get("info"), str):
        answer["info"] = json.dumps(answer.get("info"))
    return read_result(json.dumps(answer).encode(), tasktype, request, checkpoint=None, sampler=None)


ROUTES = {
    "txt2img": TaskType.TEXT_TO_IMAGE,
    "img2img": TaskType.IMAGE_TO_IMAGE,
    "extra-single-image": TaskType.EXTRA_SINGLE_IMAGE,
    "extra-batch-images": TaskType.EXTRA_BATCH_IMAGES,
}


def expected_kinds(request: dict[str, Any], images: list[Any]) -> list[str]:
    """Return the kinds of the recorded images, according to the request."""
    count = len(images)
    overrides = request.get("override_settings") or {}
    if request.get("script_name", "").lower() in ("loopback", "prompt matrix"):
        return ["grid"] + ["picture"] * (count - 1)
    if any(overrides.get(name) for name in ("return_mask", "return_mask_composite")):
        return ["picture"] + ["mask"] * (count - 1)
    if "ControlNet" in (request.get("alwayson_scripts") or {}):
        picture_count = request.get("batch_size", 1)
        return ["picture"] * picture_count + ["map"] * (count - picture_count)
    return ["picture"] * count


@pytest.mark.parametrize("flavor", ["forge", "a1111"])
def test_the_images_of_every_recorded_job_are_classified(flavor: str) -> None:
    kinds_of_all_jobs, failed_jobs = set(), []
    for job in jobs(flavor):
        answer, request = job["answer"], job["request"]
        if job["status"] != 200 or not isinstance(answer, dict) or not {"images", "image"} & answer.keys():
            continue
        try:
            result = result_of(ROUTES[job["route"]], request, answer)
        except PermanentError:  # the recorded job used another VAE or module than it requested
            failed_jobs.append(job["name"])
            continue
        images = answer.get("images") or [answer["image"]]
        kinds = [artifact.kind for artifact in result.artifacts]
        assert kinds == expected_kinds(request, images), job["name"]
        assert not result.warnings, job["name"]
        numbers = [artifact.number for artifact in result.artifacts if artifact.kind == "picture"]
        assert numbers == list(range(1, kinds.count("picture") + 1)), job["name"]
        kinds_of_all_jobs |= set(kinds)
        for artifact, image in zip(result.artifacts, images, strict=True):
            if ROUTES[job["route"]].generates and artifact.kind == "picture":
                text = image["$image"]["parameters"] or answer["info"]["infotexts"][0]
                assert artifact.receipt["infotext"] == text, job["name"]
                assert f"Seed: {artifact.receipt['seed']}," in text, job["name"]
    assert kinds_of_all_jobs >= {"picture", "grid", "mask"}
    assert len(failed_jobs) < 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("10-txt2img-basic", [(1, "picture", 1234)]),
        (
            "12-txt2img-script_name-prompt-matrix",
            [(None, "grid", None), (1, "picture", 1234), (2, "picture", 1234)],
        ),
        ("53-return_mask", [(1, "picture", 1234), (None, "mask", None), (None, "mask", None)]),
        ("57-info-fields-batch", [(None, "grid", None), (1, "picture", 1234), (2, "picture", 1235)]),
        ("51-options-enable_pnginfo-false", [(1, "picture", 1234)]),
        ("50-options-samples_format-jpg", [(1, "picture", 1234)]),
        ("50-options-samples_format-webp", [(1, "picture", 1234)]),
        ("31-extra-batch", [(1, "picture", None), (2, "picture", None)]),
    ],
)
def test_recorded_images_are_classified(
    name: str, expected: list[tuple[int | None, str, int | None]]
) -> None:
    recorded = recording(name)
    tasktype = TaskType.EXTRA_BATCH_IMAGES if name.startswith("31") else TaskType.IMAGE_TO_IMAGE
    result = result_of(tasktype, recorded["request"]["json"], recorded["response"]["json"])
    assert kinds(result) == expected
    assert not result.warnings


@pytest.mark.parametrize(
    "name", ["10-txt2img-basic", "50-options-samples_format-jpg", "50-options-samples_format-webp"]
)
def test_the_infotext_within_an_image_is_the_one_that_info_has(name: str) -> None:
    answer = recording(name)["response"]["json"]
    (expected,) = json.loads(answer["info"])["infotexts"]
    assert read_infotext(base64.b64decode(image_for(answer["images"][0]))) == expected


# A JPEG as AUTOMATIC1111 writes it: piexif uses the byte order MM in the EXIF data, Pillow uses II.
PIEXIF_JPEG = (
    b"\xff\xd8\xff\xe1\0\x42Exif\0\0MM\0*\0\0\0\x08\0\x01\x87i\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0"
    b"\0\x01\x92\x86\0\x07\0\0\0\x12\0\0\0\x28UNICODE\0\0S\0e\0e\0d\0:"
)


def test_the_infotext_of_piexif_is_read() -> None:
    assert read_infotext(PIEXIF_JPEG) == "Seed:"


def test_an_infotext_beyond_latin_1_is_read() -> None:
    assert read_infotext(base64.b64decode(png("夕暮れの灯台 🗼"))) == "夕暮れの灯台 🗼"


def test_a_controlnet_map_is_no_picture() -> None:
    info = {"all_seeds": [7, 8], "infotexts": [text(7), text(8)], "index_of_first_image": 0}
    result = read([png(text(7)), png(text(8)), png()], info, batch_size=2)
    assert kinds(result) == [(1, "picture", 7), (2, "picture", 8), (None, "map", None)]


def test_the_grid_of_loopback_is_no_picture() -> None:
    info = {"all_seeds": [8], "infotexts": [text(7)] * 3, "index_of_first_image": 0}
    result = read([png(), png(text(7)), png(text(8))], info, script_name="loopback")
    assert kinds(result) == [(None, "grid", None), (1, "picture", 7), (2, "picture", 8)]
    assert [artifact.receipt["infotext"] for artifact in result.artifacts[1:]] == [text(7), text(8)]


def test_an_image_that_a_script_assembles_is_a_picture_with_the_requested_seed() -> None:
    info = {"all_seeds": [18], "seed": 7, "infotexts": [text(7)], "index_of_first_image": 0}
    assert kinds(read([png()], info, script_name="SD upscale")) == [(1, "picture", 7)]


def test_two_pictures_of_one_seed_are_both_pictures() -> None:
    info = {"all_seeds": [7], "infotexts": ["", ""], "index_of_first_image": 0}
    result = read([png(text(7)), png(text(7))], info, script_name="Ultimate SD upscale")
    assert kinds(result) == [(1, "picture", 7), (2, "picture", 7)]


def test_masks_follow_each_picture() -> None:
    info = {"all_seeds": [7, 8], "infotexts": [text(7), text(8)]}
    images = [png(text(7)), png(), png(), png(text(8)), png(), png(), png()]
    overrides = {"return_mask": True, "return_mask_composite": True}
    result = read(images, info, mask="x", batch_size=2, override_settings=overrides)
    assert [artifact.kind for artifact in result.artifacts] == [
        *("picture", "mask", "mask") * 2,
        "map",
    ]


def test_without_infotexts_the_order_decides_and_a_warning_says_so() -> None:
    info = {"all_seeds": [7, 8], "infotexts": [text(7), text(8)]}
    overrides = {"return_mask": True}
    result = read([png()] * 5, info, mask="x", batch_size=2, override_settings=overrides)
    assert kinds(result) == [
        (1, "picture", 7),
        (None, "mask", None),
        (2, "picture", 8),
        (None, "mask", None),
        (None, "map", None),
    ]
    (warning,) = result.warnings
    assert "was decided by their order" in warning.message


def test_pictures_of_a_script_without_infotexts_are_all_kept_and_a_warning_says_so() -> None:
    result = read([png()] * 3, {"all_seeds": [8], "infotexts": [text(7)] * 3}, script_name="loopback")
    assert [artifact.number for artifact in result.artifacts] == [1, 2, 3]
    assert [warning.message for warning in result.warnings]


def test_a_picture_without_its_infotext_is_still_a_picture() -> None:
    """An extension may replace an image by one without a text, and add another one with a text."""
    result = read([png(), png(text(7))], {"all_seeds": [7, 7], "infotexts": [text(7)] * 2}, batch_size=2)
    assert [artifact.number for artifact in result.artifacts] == [1, 2]


def test_an_animation_is_a_picture_without_an_infotext() -> None:
    buffer = io.BytesIO()
    Image.new("P", (8, 8)).save(buffer, "GIF")
    gif = base64.b64encode(buffer.getvalue()).decode()
    result = read([gif, png(text(7))], {"all_seeds": [7] * 16, "infotexts": [text(7)] * 16})
    assert [artifact.number for artifact in result.artifacts] == [1, 2]


@pytest.mark.parametrize(
    ("infotext", "seed"),
    [
        (text(7), 7),
        (f"Seed: 5, a lighthouse\nSteps: 1, Seed: 6\n{SETTINGS_LINE.format(7)}", 7),
        (SETTINGS_LINE.format(7) + ', Template: "x, Seed: 8, y"', 7),
        ("a lighthouse", None),
        ("", None),
        (None, None),
    ],
)
def test_the_seed_is_read_from_the_infotexts_last_line(infotext: str | None, seed: int | None) -> None:
    assert read_seed(infotext) == seed


def test_too_few_pictures_get_a_warning_even_if_a_map_completes_their_number() -> None:
    result = read([png(text(7)), png()], {"all_seeds": [7, 8], "infotexts": [text(7)]}, batch_size=2)
    assert [warning.message for warning in result.warnings] == ["SD Web UI returned 1 of 2 images."]


@pytest.mark.parametrize("body", [b'{"images": [', b"[]", b""])
def test_an_incomplete_response_is_retried(body: bytes) -> None:
    with pytest.raises(RetryableError):
        read_result(body, TaskType.TEXT_TO_IMAGE, {}, checkpoint=None, sampler=None)


def test_a_checkpoint_that_was_not_requested_fails_the_task() -> None:
    body = json.dumps({"images": [png()], "info": json.dumps({"sd_model_name": "other"})}).encode()
    with pytest.raises(PermanentError, match="used other instead of mine") as caught:
        read_result(body, TaskType.TEXT_TO_IMAGE, {}, checkpoint="mine", sampler=None)
    assert caught.value.code is ErrorCode.WRONG_MODEL


def test_the_output_document_contains_the_request_without_its_images() -> None:
    picture = png()
    echo = {
        "prompt": "a cat",
        "steps": 3,
        "init_images": [picture],
        "mask": picture,
        "alwayson_scripts": {"ControlNet": {"args": [{"image": picture}]}},
        "script_args": [picture],
        "something_new": {"deep": [picture]},
    }
    body = json.dumps({"images": [png()], "parameters": echo, "info": "{}"}).encode()
    result = read_result(body, TaskType.TEXT_TO_IMAGE, {}, checkpoint=None, sampler=None)
    assert result.document == {"parameters": {"prompt": "a cat", "steps": 3}, "info": "{}"}


LINK = "https://example.com/cat.png"
ARGUMENTS = st.recursive(
    st.sampled_from([LINK, 1, "text", None]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*sorted(SCRIPT_IMAGE_KEYS), "args", "other"]), inner, max_size=3)
    ),
    max_leaves=12,
)
CONTENTS = st.fixed_dictionaries(
    {"prompt": st.just("a cat")},
    optional={
        "init_images": st.lists(st.just(LINK), max_size=3),
        "mask": st.just(LINK),
        "script_args": st.lists(ARGUMENTS, max_size=3),
        "alwayson_scripts": st.dictionaries(
            st.sampled_from(["controlnet", "other"]), st.fixed_dictionaries({"args": st.lists(ARGUMENTS)})
        ),
    },
)


@settings(max_examples=300, deadline=None)
@given(content=CONTENTS)
def test_no_input_is_stored_in_the_output_document(content: dict[str, Any]) -> None:
    """SD Web UI echoes its request, which contains the downloaded inputs."""
    secret = base64.b64decode(png("the contents of somebody's object"))
    image = sniff(secret)
    assert image is not None
    inputs = {reference.path: Fetched(secret, image) for reference in input_references(content)}
    request = json.loads(request_body(TaskType.IMAGE_TO_IMAGE, replace_links(content, inputs)))
    body = json.dumps({"images": [png()], "parameters": request, "info": "{}"}).encode()
    result = read_result(body, TaskType.IMAGE_TO_IMAGE, content, checkpoint=None, sampler=None)
    texts = json.dumps([result.document, [artifact.receipt for artifact in result.artifacts]])

    assert base64.b64encode(secret).decode()[:40] not in texts
    assert result.document["parameters"]["prompt"] == "a cat"
