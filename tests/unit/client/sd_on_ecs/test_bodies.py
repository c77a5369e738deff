"""The bodies that the builders make, and the local files in them."""

from pathlib import Path

import pytest

from functions.api import links
from sd_on_ecs import image_to_image, text_to_image, upscale, workflow
from sd_on_ecs.errors import InputError
from sd_on_ecs.inputs import MAX_UPLOAD_BYTES, MEDIA_TYPES, copied, find_local, media_type, read_local


def test_metadata_and_content_go_to_their_places() -> None:
    body = text_to_image("a cat", runtime="sd", id="cat-1", steps=20, context=[1], output={"format": "webp"})
    assert body["task"]["metadata"] == {
        "id": "cat-1",
        "tasktype": "text-to-image",
        "prefix": "output",
        "runtime": "sd",
        "context": [1],
        "output": {"format": "webp"},
    }
    assert body["task"]["content"] == {"prompt": "a cat", "steps": 20}


def test_every_task_gets_an_id_of_its_own() -> None:
    ids = {text_to_image("a cat")["task"]["metadata"]["id"] for _ in range(50)}
    assert len(ids) == 50


def test_images_are_where_their_task_type_has_them() -> None:
    picture = Path("cat.png")
    changed = image_to_image("a wizard", picture, mask=b"mask", denoising_strength=0.5)["task"]["content"]
    assert (changed["init_images"], changed["mask"]) == ([picture], b"mask")
    larger = upscale(picture, scale=4, upscaler_1="Lanczos")["task"]["content"]
    assert larger == {"image": picture, "upscaling_resize": 4, "upscaler_1": "Lanczos"}
    run = workflow({"1": {}}, files={"cat.png": picture}, outputs=["9"], runtime="comfy")["task"]
    assert run["content"] == {"prompt": {"1": {}}, "files": {"cat.png": picture}, "outputs": ["9"]}
    assert run["metadata"]["tasktype"] == "pipeline"


def test_local_files_are_found_anywhere_in_a_body_and_the_body_stays_as_it_is() -> None:
    body = {"a": [{"b": Path("x")}, b"y"], "c": "z"}
    copy = copied(body)
    for holder, key, value in find_local(copy):
        holder[key] = str(value)
    assert copy == {"a": [{"b": "x"}, "b'y'"], "c": "z"}
    assert body == {"a": [{"b": Path("x")}, b"y"], "c": "z"}


def test_the_largest_input_is_that_of_the_api() -> None:
    assert MAX_UPLOAD_BYTES == links.MAX_UPLOAD_BYTES


def test_an_input_that_cannot_be_uploaded_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cat\.png cannot be read: No such file"):
        read_local(tmp_path / "cat.png")
    with pytest.raises(InputError, match="input is empty"):
        read_local(b"")
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 1)
    with pytest.raises(InputError, match="at most 33,554,432"):
        read_local(large)
    assert read_local(large.rename(tmp_path / "long.mp4"))[0] == "long.mp4"


def test_videos_and_sounds_are_uploaded_by_a_type_that_the_api_takes() -> None:
    assert set(MEDIA_TYPES.values()) <= set(links.MEDIA_TYPES)
    assert media_type(Path("A.MP4")) == "video/mp4"
    assert media_type(Path("cat.png")) is media_type(b"") is None
