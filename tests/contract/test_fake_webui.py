"""What the fake adds to the recordings: faults on demand, pictures of requests, models on real files."""

import base64
import io
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from local.fakes.sdwebui import DISCLAIMER
from local.fakes.sdwebui.checkpoint_file import is_whole, write_checkpoint
from local.fakes.sdwebui.errors import KINDS
from local.fakes.sdwebui.faults import FAULTS
from local.fakes.sdwebui.process import FakeWebUiError, running
from tests.contract.replay import Replay
from tests.contract.serving import REFERENCE, opened, server

BODY = {"prompt": "a red cube", "steps": 4, "width": 64, "height": 64, "seed": 7}


def post(replay: Replay, route: str = "txt2img", **changes: Any) -> httpx.Response:
    """Ask for images."""
    return replay.client.post(f"/sdapi/v1/{route}", json={**BODY, **changes})


def model_of(answer: httpx.Response) -> str:
    """Return the model that an answer names."""
    name: str = json.loads(answer.json()["info"])["sd_model_name"]
    return name


def test_each_recorded_500_can_be_asked_for() -> None:
    """The fault strikes one job, in one of the shapes, and the next job is well again."""
    with server() as replay:
        for kind in sorted(KINDS):
            replay.control.set("error", jobs=1, kind=kind)
            answer = post(replay)
            assert answer.status_code == 500, kind
            assert answer.json().keys() in ({"detail"}, {"error", "detail", "body", "message"}), kind
        assert post(replay).status_code == 200


def test_faults_that_change_an_answer_with_200() -> None:
    """No images, fewer images, half an image and another model's image all look like success."""
    with server() as replay:
        whole = post(replay, n_iter=2).json()["images"]
        replay.control.set("no-images", jobs=1)
        assert post(replay).json()["images"] == []
        replay.control.set("fewer-images", jobs=1)
        assert post(replay, n_iter=2).json()["images"] == whole[:1]
        asked = model_of(post(replay))
        replay.control.set("wrong-model", jobs=1)
        assert model_of(post(replay)) != asked
        replay.control.set("interrupted", jobs=1, at=0.25)
        half = post(replay).json()["images"]
        assert half[0] != whole[0]
        assert replay.get("/sdapi/v1/progress")["state"]["interrupted"] is True
        assert post(replay, n_iter=2).json()["images"] == whole
        assert replay.get("/sdapi/v1/progress")["state"]["interrupted"] is False


@pytest.mark.parametrize("name", ["close", "truncate"])
def test_faults_that_break_the_connection(name: str) -> None:
    """The client sees a broken connection, although the job was done."""
    with server() as replay:
        replay.control.set(name, jobs=1)
        with pytest.raises(httpx.RemoteProtocolError):
            post(replay)
        assert replay.control.wait(ended=1)["failed"] == 0
        assert post(replay).status_code == 200


def test_a_hanging_job_hears_an_interrupt_or_not() -> None:
    """A hang ends at an interrupt, or only when it is released; `after` lets jobs pass first."""
    with server() as replay:
        replay.control.set("hang", jobs=1, after=1)
        assert post(replay).status_code == 200
        answer = replay.pool.submit(post, replay)
        replay.control.wait(held=1)
        replay.client.post("/sdapi/v1/interrupt")
        assert answer.result().status_code == 200
        replay.control.set("hang", ignore_interrupt=True)
        answer = replay.pool.submit(post, replay)
        replay.control.wait(held=1)
        replay.client.post("/sdapi/v1/interrupt")
        assert replay.control.stats()["running"] == 1
        assert not answer.done()
        replay.control.clear("hang")
        assert answer.result().status_code == 200


def test_a_poisoned_worker_recovers_by_another_model_only() -> None:
    """Every job fails at once, until another good checkpoint is loaded."""
    with server() as replay:
        first, second, _ = (one.name for one in replay.components.checkpoints.all())
        assert post(replay).status_code == 200
        replay.control.set("poison", jobs=1)
        again: dict[str, Any] = {"override_settings": {"sd_model_checkpoint": first}}
        other: dict[str, Any] = {"override_settings": {"sd_model_checkpoint": second}}
        assert [post(replay, **change).status_code for change in ({}, {}, again)] == [500, 500, 500]
        assert replay.client.get("/sdapi/v1/progress").status_code == 200
        assert [post(replay, **change).status_code for change in (other, {})] == [200, 200]


def test_not_ready_is_404_below_sdapi_only() -> None:
    """In the gap after the start, the page is there and the API is not."""
    with server(gap_seconds=3600, web_ui=True) as replay:
        assert replay.client.get("/").status_code == 200
        assert replay.client.get("/sdapi/v1/progress").status_code == 404


def test_idle_connections_are_closed() -> None:
    """A connection that nothing is sent on ends by itself."""
    with (
        running(keep_alive_seconds=1) as fake_webui,
        socket.create_connection(("127.0.0.1", fake_webui.port)) as idle,
    ):
        idle.sendall(b"GET /sdapi/v1/progress HTTP/1.1\r\nhost: x\r\n\r\n")
        received = b""
        while chunk := idle.recv(65536):
            received += chunk
        assert received.startswith(b"HTTP/1.1 200")


def test_a_process_refuses_crashes_and_is_replaced() -> None:
    """Connections are refused until cleared; a crash ends the process; another takes its port."""
    with running(step_seconds=0, load_seconds=0, fault=["no-images:1"]) as fake_webui:
        address = fake_webui.url + "/sdapi/v1/txt2img"
        assert httpx.post(address, json=BODY).json()["images"] == []
        fake_webui.control.set("refuse")
        fake_webui.control.wait(refusing=1)
        with pytest.raises(httpx.ConnectError):
            httpx.get(fake_webui.url + "/sdapi/v1/progress")
        fake_webui.control.clear()
        fake_webui.control.wait(refusing=0)
        fake_webui.control.set("crash")
        with pytest.raises(httpx.TransportError):
            httpx.post(address, json=BODY)
        assert fake_webui.process.wait(10) == 86
        with running(port=fake_webui.port) as other:
            assert other.url == fake_webui.url
            assert httpx.get(other.url + "/sdapi/v1/progress").status_code == 200


def test_a_wrong_flag_says_what_is_allowed() -> None:
    """An unknown fault ends the start with a line that lists the known ones."""
    with pytest.raises(FakeWebUiError, match="one of slow"):
        running(fault=["nope"]).__enter__()


def test_pictures_come_from_the_request() -> None:
    """Each thing that was asked for changes the picture; the same request gives the same bytes."""
    with server() as replay:
        first = post(replay).json()["images"][0]
        assert post(replay).json()["images"][0] == first
        changes: list[dict[str, Any]] = [
            {"prompt": "a blue cube"},
            {"negative_prompt": "red"},
            {"seed": 8},
            {"steps": 5},
            {"override_settings": {"sd_model_checkpoint": "tiny-random-v1-5"}},
        ]
        pictures = {post(replay, **change).json()["images"][0] for change in changes}
        assert len(pictures | {first}) == 6
        assert opened(post(replay, width=128, height=72).json()["images"][0]).size == (128, 72)
        info = json.loads(post(replay).json()["info"])
        assert info["fake_webui"] == DISCLAIMER
        assert "no diffusion model" in opened(first).info["parameters"]


def test_a_reference_shows_through_by_its_strength() -> None:
    """Strength 0 keeps the reference, 1 paints it over, and a mask bounds the painting."""
    with server() as replay:
        reference = opened(REFERENCE).convert("RGB")
        mask = Image.new("L", reference.size)
        mask.paste(255, (32, 0, 64, 8))
        out = io.BytesIO()
        mask.save(out, "PNG")
        coded = base64.b64encode(out.getvalue()).decode()
        kept, painted, masked = (
            opened(post(replay, "img2img", init_images=[REFERENCE], **change).json()["images"][0])
            for change in (
                {"denoising_strength": 0},
                {"denoising_strength": 1},
                {"denoising_strength": 1, "mask": coded},
            )
        )
        spot, other = (4, 4), (40, 4)
        assert kept.getpixel(spot) == reference.getpixel(spot)
        assert painted.getpixel(spot) != reference.getpixel(spot)
        assert masked.getpixel(spot) == reference.getpixel(spot)
        assert masked.getpixel(other) != reference.getpixel(other)


def test_animatediff_answers_a_gif() -> None:
    """AnimateDiff with the format GIF answers one animation an image."""
    script = {"AnimateDiff": {"args": [{"enable": True, "format": ["GIF"], "video_length": 5, "fps": 8}]}}
    with server(extra_scripts=("animatediff",)) as replay:
        images = post(replay, alwayson_scripts=script).json()["images"]
        assert [(opened(one).format, getattr(opened(one), "n_frames", 0)) for one in images] == [("GIF", 5)]


def test_files_of_a_models_folder(tmp_path: Path) -> None:
    """Checkpoints are those of `Stable-diffusion`, of any name; a prompt's LoRAs are named with hashes."""
    for name in ("b (v2) [fix].safetensors", "ünï/ä b.safetensors"):
        write_checkpoint(tmp_path / "Stable-diffusion" / name, name.encode())
    write_checkpoint(tmp_path / "Lora/style.safetensors")
    write_checkpoint(tmp_path / "VAE/kl.safetensors")
    with server(model_dir=tmp_path) as replay:
        listed = [one["title"] for one in replay.get("/sdapi/v1/sd-models")]
        assert listed == ["b (v2) [fix].safetensors", "ünï/ä b.safetensors"]
        assert [one["name"] for one in replay.get("/sdapi/v1/loras")] == ["style"]
        for name in listed:
            assert model_of(post(replay, override_settings={"sd_model_checkpoint": name})) == Path(name).stem
        extra = json.loads(post(replay, prompt="x <lora:style:0.8> <lora:none:1>").json()["info"])
        assert extra["extra_generation_params"]["Lora hashes"].startswith("style: ")


def test_a_flat_folder_is_a_folder_of_checkpoints(tmp_path: Path) -> None:
    """Without `Stable-diffusion`, the files of the folder itself count, but not those of other kinds."""
    write_checkpoint(tmp_path / "a.safetensors")
    write_checkpoint(tmp_path / "Lora/style.safetensors")
    with server(model_dir=tmp_path) as replay:
        assert [one["title"] for one in replay.get("/sdapi/v1/sd-models")] == ["a.safetensors"]


def test_whole_files_are_told_from_torn_ones(tmp_path: Path) -> None:
    """A file is whole when its header is valid and the data that it declares is there."""
    whole = write_checkpoint(tmp_path / "whole.safetensors", b"x" * 1000)
    assert is_whole(whole)
    content = whole.read_bytes()
    torn = tmp_path / "torn.safetensors"
    for kept in (0, 4, 8, 40, len(content) - 1):
        torn.write_bytes(content[:kept])
        assert not is_whole(torn)
    torn.write_bytes(b"not a checkpoint at all, though long enough to have a header")
    assert not is_whole(torn)


def test_switching_costs_a_load_unless_both_are_kept() -> None:
    """Three jobs on two models load three times; with `sd_checkpoints_limit` 2 they load twice."""
    with server() as replay:
        first, second, _ = (one.name for one in replay.components.checkpoints.all())
        for limit, loads in ((1, 3), (2, 1)):
            replay.options(sd_checkpoints_limit=limit)
            before = replay.control.stats()["model_loads"]
            for name in (first, second, first):
                post(replay, override_settings={"sd_model_checkpoint": name})
            assert replay.control.stats()["model_loads"] - before == loads
        assert {job["model"] for job in replay.control.jobs()} == {Path(first).stem, Path(second).stem}


def test_it_says_what_it_is_and_can() -> None:
    """Its own routes tell its nature and its faults, refuse what they do not know, and give up waiting."""
    with server() as replay:
        about = replay.get("/fake")
        assert about["is"] == DISCLAIMER
        assert about["faults"].keys() == FAULTS.keys()
        with pytest.raises(FakeWebUiError, match="422"):
            replay.control.set("nope")
        with pytest.raises(FakeWebUiError, match="408"):
            replay.control.wait(begun=1, timeout=0)
        assert replay.get("/openapi.json")["info"]["description"] == DISCLAIMER
