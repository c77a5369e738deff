"""Features of the fake beyond the recordings: faults on demand, pictures of requests, models from files."""

import base64
import io
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from local.fakes.model_file import is_complete, write_checkpoint
from local.fakes.sdwebui import DISCLAIMER
from local.fakes.sdwebui.errors import KINDS
from local.fakes.sdwebui.faults import FAULTS
from local.fakes.sdwebui.process import FakeWebUiError, running
from tests.contract.replay import Replay
from tests.contract.serving import REFERENCE, opened, server

BODY = {"prompt": "a red cube", "steps": 4, "width": 64, "height": 64, "seed": 7}


def post(replay: Replay, route: str = "txt2img", **changes: Any) -> httpx.Response:
    """Send a text-to-image request."""
    return replay.client.post(f"/sdapi/v1/{route}", json={**BODY, **changes})


def model_of(answer: httpx.Response) -> str:
    """Return the model in a response."""
    name: str = json.loads(answer.json()["info"])["sd_model_name"]
    return name


def test_each_recorded_500_can_be_injected_for_one_job() -> None:
    with server() as replay:
        for kind in sorted(KINDS):
            replay.control.set("error", jobs=1, kind=kind)
            answer = post(replay)
            assert answer.status_code == 500, kind
            assert answer.json().keys() in ({"detail"}, {"error", "detail", "body", "message"}), kind
        assert post(replay).status_code == 200


def test_faults_that_change_a_successful_response() -> None:
    with server() as replay:
        images = post(replay, n_iter=2).json()["images"]
        replay.control.set("no-images", jobs=1)
        assert post(replay).json()["images"] == []
        replay.control.set("fewer-images", jobs=1)
        assert post(replay, n_iter=2).json()["images"] == images[:1]
        model_hash = model_of(post(replay))
        replay.control.set("wrong-model", jobs=1)
        assert model_of(post(replay)) != model_hash
        replay.control.set("interrupted", jobs=1, at=0.25)
        half = post(replay).json()["images"]
        assert half[0] != images[0]
        assert replay.get("/sdapi/v1/progress")["state"]["interrupted"] is True
        assert post(replay, n_iter=2).json()["images"] == images
        assert replay.get("/sdapi/v1/progress")["state"]["interrupted"] is False


@pytest.mark.parametrize("name", ["close", "truncate"])
def test_faults_that_break_the_connection_after_the_job(name: str) -> None:
    with server() as replay:
        replay.control.set(name, jobs=1)
        with pytest.raises(httpx.RemoteProtocolError):
            post(replay)
        assert replay.control.wait(ended=1)["failed"] == 0
        assert post(replay).status_code == 200


def test_a_hanging_job_ends_at_an_interrupt_unless_it_ignores_it() -> None:
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


def test_an_unhealthy_web_ui_recovers_only_by_loading_another_checkpoint() -> None:
    with server() as replay:
        first, second, _ = (checkpoint.name for checkpoint in replay.components.checkpoints.all())
        assert post(replay).status_code == 200
        replay.control.set("unhealthy", jobs=1)
        overrides: dict[str, Any] = {"override_settings": {"sd_model_checkpoint": first}}
        other: dict[str, Any] = {"override_settings": {"sd_model_checkpoint": second}}
        assert [post(replay, **change).status_code for change in ({}, {}, overrides)] == [500, 500, 500]
        assert replay.client.get("/sdapi/v1/progress").status_code == 200
        assert [post(replay, **change).status_code for change in (other, {})] == [200, 200]


def test_not_ready_means_404_only_below_sdapi() -> None:
    with server(gap_seconds=3600, web_ui=True) as replay:
        assert replay.client.get("/").status_code == 200
        assert replay.client.get("/sdapi/v1/progress").status_code == 404


def test_idle_connections_are_closed() -> None:
    with (
        running(keep_alive_seconds=1) as fake_webui,
        socket.create_connection(("127.0.0.1", fake_webui.port)) as idle,
    ):
        idle.sendall(b"GET /sdapi/v1/progress HTTP/1.1\r\nhost: x\r\n\r\n")
        received = b""
        while chunk := idle.recv(65536):
            received += chunk
        assert received.startswith(b"HTTP/1.1 200")


def test_a_process_can_refuse_connections_crash_and_be_replaced() -> None:
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


def test_the_error_for_an_unknown_fault_lists_the_known_ones() -> None:
    with pytest.raises(FakeWebUiError, match="one of slow"):
        running(fault=["nope"]).__enter__()


def test_every_field_of_the_request_changes_the_picture() -> None:
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


def test_the_denoising_strength_and_the_mask_decide_how_much_of_the_reference_remains() -> None:
    with server() as replay:
        reference = opened(REFERENCE).convert("RGB")
        mask = Image.new("L", reference.size)
        mask.paste(255, (32, 0, 64, 8))
        buffer = io.BytesIO()
        mask.save(buffer, "PNG")
        coded = base64.b64encode(buffer.getvalue()).decode()
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


def test_animatediff_returns_one_gif_per_image() -> None:
    script = {"AnimateDiff": {"args": [{"enable": True, "format": ["GIF"], "video_length": 5, "fps": 8}]}}
    with server(extra_scripts=("animatediff",)) as replay:
        images = post(replay, alwayson_scripts=script).json()["images"]
        assert [(opened(image).format, getattr(opened(image), "n_frames", 0)) for image in images] == [
            ("GIF", 5)
        ]


def test_checkpoints_and_loras_are_found_in_a_models_folder(tmp_path: Path) -> None:
    for name in ("b (v2) [fix].safetensors", "ünï/ä b.safetensors"):
        write_checkpoint(tmp_path / "Stable-diffusion" / name, name.encode())
    write_checkpoint(tmp_path / "Lora/style.safetensors")
    write_checkpoint(tmp_path / "VAE/kl.safetensors")
    with server(model_dir=tmp_path) as replay:
        titles = [model["title"] for model in replay.get("/sdapi/v1/sd-models")]
        assert titles == ["b (v2) [fix].safetensors", "ünï/ä b.safetensors"]
        assert [lora["name"] for lora in replay.get("/sdapi/v1/loras")] == ["style"]
        for name in titles:
            assert model_of(post(replay, override_settings={"sd_model_checkpoint": name})) == Path(name).stem
        extra = json.loads(post(replay, prompt="x <lora:style:0.8> <lora:none:1>").json()["info"])
        assert extra["extra_generation_params"]["Lora hashes"].startswith("style: ")


def test_a_folder_without_subfolders_is_one_of_checkpoints(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.safetensors")
    write_checkpoint(tmp_path / "Lora/style.safetensors")
    with server(model_dir=tmp_path) as replay:
        assert [model["title"] for model in replay.get("/sdapi/v1/sd-models")] == ["a.safetensors"]


def test_incomplete_checkpoint_files_are_detected(tmp_path: Path) -> None:
    complete_file = write_checkpoint(tmp_path / "whole.safetensors", b"x" * 1000)
    assert is_complete(complete_file)
    content = complete_file.read_bytes()
    torn_file = tmp_path / "torn.safetensors"
    for kept_bytes in (0, 4, 8, 40, len(content) - 1):
        torn_file.write_bytes(content[:kept_bytes])
        assert not is_complete(torn_file)
    torn_file.write_bytes(b"not a checkpoint at all, though long enough to have a header")
    assert not is_complete(torn_file)


def test_switching_needs_a_load_unless_both_checkpoints_are_kept() -> None:
    with server() as replay:
        first, second, _ = (checkpoint.name for checkpoint in replay.components.checkpoints.all())
        for limit, loads in ((1, 3), (2, 1)):
            replay.options(sd_checkpoints_limit=limit)
            before = replay.control.stats()["model_loads"]
            for name in (first, second, first):
                post(replay, override_settings={"sd_model_checkpoint": name})
            assert replay.control.stats()["model_loads"] - before == loads
        assert {job["model"] for job in replay.control.jobs()} == {Path(first).stem, Path(second).stem}


def test_the_routes_below_fake_describe_it_and_check_their_input() -> None:
    with server() as replay:
        about = replay.get("/fake")
        assert about["is"] == DISCLAIMER
        assert about["faults"].keys() == FAULTS.keys()
        with pytest.raises(FakeWebUiError, match="422"):
            replay.control.set("nope")
        with pytest.raises(FakeWebUiError, match="408"):
            replay.control.wait(begun=1, timeout=0)
        assert replay.get("/openapi.json")["info"]["description"] == DISCLAIMER
