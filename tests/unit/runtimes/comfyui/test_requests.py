import base64
from typing import Any

import pytest

from domain.limits import DEFAULT_LIMITS
from local.fakes import media
from runtimes.comfyui.runtime_type import ComfyUi
from runtimes.comfyui.seeds import seeds
from tests.support.workflows import (
    DYNAMIC,
    LINK,
    PNG,
    checked,
    faults,
    image_to_image,
    text_to_image,
    with_input,
)


def test_a_bare_workflow_and_ours_become_the_same_content() -> None:
    bare, ours = checked(text_to_image()), checked({"prompt": text_to_image()})
    assert not bare.faults
    assert bare.content == ours.content == {"prompt": text_to_image(), "files": {}}


def test_the_body_of_worker_comfyui_becomes_our_content() -> None:
    body = {"workflow": image_to_image("cat.png"), "images": [{"name": "cat.png", "image": PNG}]}
    result = checked(body)
    assert not result.faults
    assert result.content == {"prompt": image_to_image("cat.png"), "files": {"cat.png": PNG}}


def test_faults_of_the_body_of_worker_comfyui_point_into_that_body() -> None:
    body = {"workflow": with_input("3", "steps", 0), "images": [{"name": "../x.png", "image": "no"}]}
    assert faults(body).keys() == {"/workflow/3/inputs/steps", "/images/0/image"}


@pytest.mark.parametrize("image", [LINK, "s3://bucket/cat.png", PNG, f"data:image/png;base64,{PNG}"])
def test_a_link_or_base64_in_a_node_becomes_a_file_of_the_task(image: str) -> None:
    result = checked(image_to_image(image))
    assert not result.faults
    assert result.content["files"] == {"file-1": image}
    assert result.content["prompt"]["1"]["inputs"]["image"] == "file-1"
    [reference] = ComfyUi().inputs("pipeline", result.content)
    assert (reference.path, reference.value, reference.is_link) == ("/files/file-1", image, "://" in image)


def test_one_file_serves_two_nodes() -> None:
    workflow = image_to_image(LINK)
    workflow["2"] = {"class_type": "LoadImageMask", "inputs": {"image": LINK, "channel": "red"}}
    assert checked(workflow).content["files"] == {"file-1": LINK}


@pytest.mark.parametrize(
    "content",
    [
        text_to_image(),
        {"prompt": image_to_image(), "outputs": ["9"]},
        {"workflow": image_to_image("a.png"), "images": [{"name": "a.png", "image": PNG}]},
        with_input("9", "filename_prefix", "../a/b"),
        with_input("3", "steps", "20"),
        with_input("3", "seed", -1),
    ],
)
def test_checking_checked_content_again_changes_nothing(content: dict[str, Any]) -> None:
    first = checked(content)
    assert not first.faults
    second = checked(first.content)
    assert not second.faults
    assert second.content == first.content


def test_a_check_leaves_the_request_as_it_was() -> None:
    content = {"prompt": image_to_image()}
    checked(content)
    assert content == {"prompt": image_to_image()}


def test_a_workflow_of_the_page_is_refused_with_what_to_do() -> None:
    saved = {"nodes": [], "links": [], "last_node_id": 9}
    for content, path in ((saved, ""), ({"prompt": saved}, "/prompt"), ({"workflow": saved}, "/workflow")):
        assert "Export (API)" in faults(content)[path]


@pytest.mark.parametrize("key", ["client_id", "number", "extra_data", "partial_execution_targets", "seed"])
def test_keys_that_this_service_sets_are_refused(key: str) -> None:
    assert faults({"prompt": text_to_image(), key: 1}).keys() == {f"/{key}"}


def test_keys_of_a_node_that_could_change_the_cache_are_dropped_with_a_warning() -> None:
    workflow = text_to_image()
    workflow["9"]["is_changed"] = ["x"]
    workflow["9"]["inputs"]["upload"] = "image"
    result = checked(workflow)
    assert result.content["prompt"] == text_to_image()
    assert [warning.path for warning in result.warnings] == ["/9/is_changed", "/9/inputs/upload"]


def test_the_workflow_of_the_page_is_kept_where_metadata_are_written() -> None:
    content = {"prompt": text_to_image(), "workflow": {"nodes": []}}
    assert [warning.path for warning in checked(content).warnings] == ["/workflow"]
    runtime = type(DYNAMIC)("comfy", "comfyui", dynamic_model=True, options={"metadata": True})
    assert checked(content, runtime).content["workflow"] == {"nodes": []}
    content["workflow"] = {"nodes": ["x" * 1024 * 1024]}
    assert faults(content, runtime).keys() == {"/workflow"}


def test_an_open_seed_is_drawn_by_the_submission_and_not_by_the_content() -> None:
    content = checked(with_input("3", "seed", -1)).content
    first, first_again, other = (ComfyUi().settled(content, key) for key in ("a", "a", "b"))
    assert content["prompt"]["3"]["inputs"]["seed"] == -1  # the digest covers the content as it was sent
    assert seeds(first["prompt"]) == seeds(first_again["prompt"]) != seeds(other["prompt"])
    assert not faults(first)
    assert ComfyUi().settled(checked(text_to_image()).content, "a")["prompt"] == text_to_image()


def test_too_many_links_are_refused() -> None:
    workflow = text_to_image()
    for number in range(DEFAULT_LIMITS.links + 1):
        link = f"https://example.com/{number}.png"
        workflow[f"load{number}"] = {"class_type": "LoadImage", "inputs": {"image": link}}
    assert faults(workflow) == {"/files": "a task may contain at most 32 links"}


@pytest.mark.parametrize(
    ("class_type", "name", "value", "said"),
    [
        ("LoadVideo", "file", PNG, "base64 of a video"),
        ("LoadAudio", "audio", PNG, "base64 of a sound"),
        ("LoadImage", "image", base64.b64encode(media.mp4(8, 8, 1)).decode(), "it is a video"),
        ("LoadLatent", "latent", LINK, "images, videos and sounds"),
    ],
)
def test_an_inline_file_of_another_kind_than_its_node_takes_is_refused(
    class_type: str, name: str, value: str, said: str
) -> None:
    flow = text_to_image() | {"20": {"class_type": class_type, "inputs": {name: value}}}
    assert said in faults(flow)[f"/20/inputs/{name}"]


@pytest.mark.parametrize(
    ("class_type", "name", "data"),
    [
        ("LoadVideo", "file", media.mp4(8, 8, 1)),
        ("LoadVideo", "file", media.webm(8, 8, 1)),
        ("LoadAudio", "audio", media.flac(b"x" * 20)),
        ("LoadAudio", "audio", media.mp4(8, 8, 1)),
    ],
)
def test_an_inline_video_or_sound_is_taken(class_type: str, name: str, data: bytes) -> None:
    value = base64.b64encode(data).decode()
    flow = text_to_image() | {"20": {"class_type": class_type, "inputs": {name: value}}}
    assert faults(flow) == {}
