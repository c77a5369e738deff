"""The engine, on a fake ComfyUI and without AWS."""

import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from container.consumer.engines.base import (
    EngineTimedOut,
    Interrupted,
    Result,
    Verdict,
)
from container.consumer.engines.comfyui import client, job_files
from container.consumer.engines.comfyui.client import ComfyUi, NoAnswer, wait_until
from domain.errors import ErrorCode, PermanentError, RetryableError
from domain.task import Task
from local.fakes.comfyui import recipe
from tests.support.comfyui import image_to_image, node, png, text_to_image
from tests.support.comfyui_worker import LINK, RUNTIME, VERSIONS, Worker, run_worker
from tests.support.proxy import engine_call, running_proxy


@pytest.fixture(params=VERSIONS)
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worker]:
    with run_worker(tmp_path, version=request.param) as one:
        yield one


@pytest.fixture
def newer(tmp_path: Path) -> Iterator[Worker]:
    with run_worker(tmp_path) as one:
        yield one


def facts(result: Result, number: int = 1) -> dict[str, Any]:
    found = recipe.read(Image.open(io.BytesIO(result.artifacts[number - 1].data())))
    assert found is not None
    return found


def test_a_workflow_becomes_a_picture_of_what_was_asked(worker: Worker) -> None:
    result = worker.run(text_to_image(text="a harbour", seed=7))
    assert facts(result) == facts(worker.run(text_to_image(text="a harbour", seed=7)))
    assert "a harbour" in str(facts(result))
    assert result.document["seeds"] == {"3.seed": 7}
    assert [one.receipt["node"] for one in result.artifacts] == ["9"]
    assert result.document["models"][0]["name"] == "v1-5-pruned-emaonly.safetensors"
    assert worker.progress == sorted(worker.progress)
    assert worker.progress


def test_a_workflow_that_would_write_a_model_is_never_sent(newer: Worker) -> None:
    prompt = text_to_image() | {
        "x": node("CheckpointSave", model=["4", 0], clip=["4", 1], vae=["4", 2], filename_prefix="x")
    }
    task = Task("t", "comfy", "pipeline", "out", None, {"prompt": prompt, "files": {}}, "v1alpha2")
    with pytest.raises(PermanentError, match="writes models"):
        newer.engine.prepare(task, lambda: False)


def test_the_same_workflow_twice_is_run_twice_and_leaves_nothing_on_the_server(worker: Worker) -> None:
    first = worker.run(text_to_image())
    second = worker.run(text_to_image())
    assert first.document["prompt_id"] != second.document["prompt_id"]
    assert set(second.document["cached_nodes"]) == {"3", "4", "5", "6", "7", "8"}
    assert worker.left_behind() == []
    assert worker.server.get("/history") == {}


def test_a_file_reaches_the_node_that_names_it_and_is_removed_afterwards(worker: Worker) -> None:
    by_link = worker.run(image_to_image(LINK))
    named = worker.run(image_to_image("cat.png"), files={"cat.png": LINK})
    assert facts(by_link) == facts(named)
    assert facts(by_link) != facts(worker.run(text_to_image()))
    assert worker.left_behind() == []


def test_a_truncated_image_is_refused_and_not_taken_for_half_a_picture(tmp_path: Path) -> None:
    with run_worker(tmp_path, data=png("blue", size=256)[:-40]) as worker:
        with pytest.raises(PermanentError) as raised:
            worker.prepare(image_to_image(LINK))
        assert raised.value.code is ErrorCode.INPUT_NOT_AN_IMAGE
        assert worker.left_behind() == []


def test_inputs_of_a_task_that_never_runs_are_removed(newer: Worker) -> None:
    request = newer.prepare(image_to_image(LINK))
    assert newer.left_behind() != []
    request.clean_up()
    assert newer.left_behind() == []


def test_two_output_nodes_are_stored_in_the_order_that_was_asked_for(newer: Worker) -> None:
    flow = text_to_image() | {"10": node("SaveImage", images=["8", 0], filename_prefix="other")}
    for outputs in (["10", "9"], ["9", "10"]):
        newer.fake.control.set("reversed-outputs", jobs=1)
        result = newer.run(flow, outputs=outputs)
        assert [(one.number, one.receipt["node"]) for one in result.artifacts] == [
            (1, outputs[0]),
            (2, outputs[1]),
        ]


@pytest.mark.parametrize("server_writes_too", [False, True], ids=["flag", "no flag"])
def test_a_png_holds_the_workflow_as_it_was_sent_only_if_the_settings_say_so(
    tmp_path: Path, server_writes_too: bool
) -> None:
    with run_worker(tmp_path, metadata=server_writes_too) as worker:
        flow = text_to_image(text="a mühle")
        assert "prompt" not in Image.open(io.BytesIO(worker.run(flow).artifacts[0].data())).info
        worker.runtime = worker.engine._preparation.runtime = replace(RUNTIME, options={"metadata": True})
        ui = {"nodes": [], "links": [], "extra": {"by": "a caller"}}
        data = worker.run(flow, workflow=ui).artifacts[0].data()
        image = Image.open(io.BytesIO(data))
        image.load()
        assert json.loads(image.info["prompt"]) == flow
        assert json.loads(image.info["workflow"]) == ui
        assert data.count(b"prompt\0") == 1


def test_previews_are_stored_only_if_there_is_nothing_else(newer: Worker) -> None:
    flow = text_to_image() | {"10": node("PreviewImage", images=["8", 0])}
    assert [one.receipt["node"] for one in newer.run(flow).artifacts] == ["9"]
    del flow["9"]
    for _ in range(2):  # without a fresh input, the second one would be the file of the first
        assert [one.receipt["node"] for one in newer.run(flow).artifacts] == ["10"]
    assert newer.left_behind() == []


def test_an_unknown_model_fails_before_the_gpu_works(newer: Worker) -> None:
    flow = text_to_image()
    flow["4"]["inputs"]["ckpt_name"] = "v1-5-pruned-emaonly2.safetensors"
    with pytest.raises(PermanentError) as raised:
        newer.prepare(flow)
    assert raised.value.code is ErrorCode.MODEL_NOT_FOUND
    assert "v1-5-pruned-emaonly.safetensors" in raised.value.message
    assert newer.fake.control.stats()["posted"] == 0


@pytest.mark.parametrize(
    ("loader", "name", "more"),
    [
        ("VAELoader", "vae_name", {}),
        ("LoraLoaderModelOnly", "lora_name", {"model": ["4", 0], "strength_model": 1}),
        ("ControlNetLoader", "control_net_name", {}),
        ("UNETLoader", "unet_name", {"weight_dtype": "default"}),
        ("CLIPLoader", "clip_name", {"type": "stable_diffusion"}),
        ("UpscaleModelLoader", "model_name", {}),
    ],
)
def test_a_missing_model_of_any_loader_fails_before_the_gpu_works(
    newer: Worker, loader: str, name: str, more: dict[str, Any]
) -> None:
    flow = text_to_image() | {
        "20": node(loader, **{name: "nowhere.safetensors"}, **more),
        "21": node("PreviewAny", source=["20", 0]),
    }
    with pytest.raises(PermanentError) as raised:
        newer.prepare(flow)
    assert raised.value.code is ErrorCode.MODEL_NOT_FOUND
    assert f"/prompt/20/inputs/{name}" in raised.value.message
    assert newer.fake.control.stats()["posted"] == 0


def test_a_model_that_a_loader_has_built_in_needs_no_file(newer: Worker) -> None:
    flow = text_to_image() | {"20": node("VAELoader", vae_name="pixel_space")}
    flow["8"]["inputs"]["vae"] = ["20", 0]
    assert facts(newer.run(flow))["vae"] == "pixel_space"


@pytest.mark.parametrize("fault", ["queued-500", "queued-close"])
def test_a_job_whose_response_was_lost_runs_once(newer: Worker, fault: str) -> None:
    newer.fake.control.set(fault, jobs=1)
    assert facts(newer.run(text_to_image()))
    assert newer.fake.control.stats()["posted"] == 1


def test_a_deaf_websocket_only_makes_the_end_a_little_later(newer: Worker) -> None:
    newer.fake.control.set("deaf")
    assert facts(newer.run(text_to_image()))


def test_a_job_that_the_server_has_forgotten_is_tried_again(newer: Worker) -> None:
    newer.fake.control.set("forget", jobs=1)
    with pytest.raises(RetryableError) as raised:
        newer.run(text_to_image())
    assert raised.value.code is ErrorCode.ENGINE_UNAVAILABLE


def test_a_server_that_dies_is_waited_for(newer: Worker) -> None:
    newer.fake.control.set("crash", at=0.5)
    with pytest.raises(RetryableError) as raised:
        newer.run(text_to_image())
    assert newer.engine.diagnose(raised.value) is Verdict.UNREACHABLE
    assert newer.engine.wait_idle(1)


def test_a_dead_thread_for_jobs_is_noticed_by_the_timeout(tmp_path: Path) -> None:
    with run_worker(tmp_path, timeout=1) as worker:
        worker.fake.control.set("dead-worker", jobs=1)
        with pytest.raises(EngineTimedOut):
            worker.run(text_to_image())
        assert not worker.engine.wait_idle(0.5)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lost", [None, "lost-interrupt", "lost-cancel"])
def test_a_job_that_times_out_is_stopped_removed_and_followed_by_the_next_one(
    tmp_path: Path, version: str, lost: str | None
) -> None:
    with run_worker(tmp_path, timeout=0.5, version=version) as worker:
        if lost:
            worker.fake.control.set(lost, jobs=1)
        worker.fake.control.set("hang", jobs=1, at=0.5)
        request = worker.prepare(image_to_image(LINK))
        with pytest.raises(EngineTimedOut):
            worker.start(request)
        assert worker.left_behind() != [], "the job still runs, and may read its inputs"
        worker.engine.interrupt()
        assert worker.engine.wait_idle(10)
        request.clean_up()
        assert worker.left_behind() == []
        assert worker.server.get("/history") == {}
        worker.engine._jobs._timeout_seconds = 60
        assert facts(worker.run(text_to_image()))


@pytest.mark.parametrize("lost", [None, "lost-interrupt", "lost-cancel"])
def test_a_running_job_is_interrupted_even_if_some_interrupts_are_lost(
    worker: Worker, lost: str | None
) -> None:
    if lost:
        worker.fake.control.set(lost, jobs=2)
    worker.fake.control.set("hang", jobs=1, at=0.5)
    request = worker.prepare(text_to_image())
    with ThreadPoolExecutor(1) as pool:
        running_job = pool.submit(worker.start, request)
        worker.fake.control.wait(held=1)
        while not running_job.done():
            worker.engine.interrupt()
            threading.Event().wait(0.05)
    assert worker.engine.was_interrupted()
    with pytest.raises(Interrupted):
        running_job.result()()
    request.clean_up()
    assert worker.left_behind() == []
    assert facts(worker.run(text_to_image()))


def test_an_interrupt_by_another_client_is_noticed(newer: Worker) -> None:
    newer.fake.control.set("interrupted", jobs=1, at=0.5)
    newer.start(newer.prepare(text_to_image()))
    assert newer.engine.was_interrupted()


def test_a_new_worker_removes_the_jobs_and_files_that_the_last_one_left(newer: Worker) -> None:
    newer.fake.control.set("hang", jobs=1, at=0.5)
    request = newer.prepare(image_to_image(LINK))
    newer.server.submit(request.payload.body)
    newer.fake.control.wait(held=1)
    (newer.root / "output" / ("0" * 32)).mkdir()
    (newer.root / "output" / ("0" * 32) / "9_00001_.png").write_bytes(b"x")
    (newer.root / "temp" / "ComfyUI_temp_abcde_00001_.png").write_bytes(b"x")
    assert Worker(newer.fake, newer.root).left_behind() == []
    assert newer.server.remaining() == 0
    assert newer.server.get("/history") == {}


def test_the_preparation_of_a_task_waits_for_a_server_that_starts_again(newer: Worker) -> None:
    newer.fake.control.set("refuse")
    newer.fake.control.wait(refusing=True)
    with ThreadPoolExecutor(1) as pool:
        preparing = pool.submit(newer.prepare, image_to_image(LINK))
        with pytest.raises(TimeoutError):
            preparing.result(1)
        newer.fake.control.clear()
        assert facts(newer.start(preparing.result(30))())


def test_the_files_of_a_finished_job_are_removed_although_nobody_reads_its_result(newer: Worker) -> None:
    request = newer.prepare(image_to_image(LINK))
    newer.start(request)
    assert newer.left_behind() != []
    request.clean_up()
    assert newer.left_behind() == []
    assert newer.server.get("/history") == {}


@pytest.mark.parametrize("call", ["POST /upload", "POST /prompt"])
def test_nothing_stays_of_a_request_that_comfyui_executes_after_it_was_given_up(
    newer: Worker, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(client, "TRANSFER_SECONDS", 0.5)
    monkeypatch.setattr(job_files, "AGAIN_SECONDS", (1.0,))
    with running_proxy(newer.fake.url, parse=engine_call) as proxy:
        server = ComfyUi(proxy.url, response_seconds=0.5)
        worker = Worker(newer.fake, newer.root, server=server)
        hold = proxy.hold(call, late=True)
        with suppress(NoAnswer):  # an upload is repeated
            worker.run(image_to_image(LINK))
        assert worker.left_behind() == []
        forwarded = proxy.forwarded[call]
        hold.release()
        wait_until(lambda: proxy.forwarded[call] > forwarded, stop=threading.Event(), seconds=5)
        wait_until(lambda: bool(worker.left_behind()), stop=threading.Event(), seconds=0.5, poll_seconds=0.01)
        assert wait_until(
            lambda: not worker.left_behind() and not newer.server.get("/history"),
            stop=threading.Event(),
            seconds=10,
        )
