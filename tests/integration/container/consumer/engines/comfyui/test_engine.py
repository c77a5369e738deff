"""The engine, on a fake ComfyUI and without AWS."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from container.consumer.engines.base import (
    AmbiguousError,
    EngineTimedOut,
    Interrupted,
    ReplaceEngine,
    Result,
    RunHooks,
    Verdict,
)
from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.comfyui.engine import ComfyUiEngine
from container.consumer.engines.comfyui.models import Models
from container.consumer.engines.comfyui.uploads import Folders
from container.consumer.inputs.fetch import Fetched
from container.consumer.inputs.images import sniff
from container.consumer.inputs.task_inputs import TaskInputs
from domain.errors import ErrorCode, PermanentError, RetryableError
from domain.limits import DEFAULT_LIMITS
from domain.routing import Runtime
from domain.task import Task
from local.fakes.comfyui import recipe
from local.fakes.comfyui.process import FakeComfyUi, running
from runtimes.comfyui.needs import ALIASES
from runtimes.comfyui.runtime_type import ComfyUi as Rules
from tests.support.comfyui import image_to_image, node, png, text_to_image

RUNTIME = Runtime("comfy", "comfyui", dynamic_model=True)
LINK = "https://images.example/cat.png"
VERSIONS = ("0.27.0", "0.3.64")


class Link:
    """Serves one image for every link."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def fetch(self, _link: str, _allowance: Any) -> Fetched:
        found = sniff(self.data)
        assert found is not None
        return Fetched(self.data, found)


class Worker:
    """An engine, and the calls that a worker makes of it for one task."""

    def __init__(self, fake: FakeComfyUi, root: Path, *, data: bytes = b"", timeout: float = 60) -> None:
        self.server = ComfyUi(fake.url)
        self.fake = fake
        self.root = root
        self.progress: list[float] = []
        self.sent = threading.Event()
        self.engine = ComfyUiEngine(
            self.server,
            Models(self.server, None, None, ALIASES),
            TaskInputs(Link(data or png("blue"))),
            rules=Rules(),
            runtime=RUNTIME,
            folders=Folders(root),
            timeout_seconds=timeout,
        )
        assert self.engine.wait_ready(threading.Event(), 20)

    def prepare(self, prompt: dict[str, Any], **content: Any) -> Any:
        checked = Rules().validate("pipeline", {"prompt": prompt, **content}, RUNTIME, DEFAULT_LIMITS)
        assert not checked.faults
        task = Task("t", "comfy", "pipeline", "out", None, checked.content, "v1alpha2")
        return self.engine.prepare(task, lambda: False)

    def start(self, request: Any) -> Callable[[], Result]:
        self.sent.clear()
        hooks = RunHooks(self.sent.set, self.progress.append, 1.0)
        return self.engine.run(request, self.engine.load(request), hooks)

    def run(self, prompt: dict[str, Any], **content: Any) -> Result:
        return self.start(self.prepare(prompt, **content))()

    def left_behind(self) -> list[str]:
        """Return the files of tasks that are still on the server's disk."""
        return [str(path) for kind in ("input", "output", "temp") for path in (self.root / kind).rglob("*.*")]


@pytest.fixture(params=VERSIONS)
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worker]:
    with run_worker(tmp_path, version=request.param) as one:
        yield one


@pytest.fixture
def newer(tmp_path: Path) -> Iterator[Worker]:
    with run_worker(tmp_path) as one:
        yield one


@contextmanager
def run_worker(root: Path, *, timeout: float = 60, data: bytes = b"", **settings: Any) -> Iterator[Worker]:
    folders = {name: root / name for name in ("input", "output", "temp")}
    with running(**{"step_seconds": 0.01, "load_seconds": 0.01} | folders | settings) as fake:
        yield Worker(fake, root, timeout=timeout, data=data)


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
    del request
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


def test_a_png_holds_the_workflow_as_it_was_sent_if_the_settings_say_so(tmp_path: Path) -> None:
    with run_worker(tmp_path, metadata=False) as worker:
        flow = text_to_image(text="a mühle")
        assert "prompt" not in Image.open(io.BytesIO(worker.run(flow).artifacts[0].data())).info
        worker.engine._runtime = replace(RUNTIME, options={"metadata": True})
        image = Image.open(io.BytesIO(worker.run(flow).artifacts[0].data()))
        image.load()
        assert json.loads(image.info["prompt"]) == flow


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


@pytest.mark.parametrize("fault", ["queued-500", "queued-close"])
def test_a_job_whose_response_was_lost_runs_once(newer: Worker, fault: str) -> None:
    newer.fake.control.set(fault, jobs=1)
    assert facts(newer.run(text_to_image()))
    assert newer.fake.control.stats()["posted"] == 1


def test_a_deaf_websocket_only_makes_the_end_a_little_later(newer: Worker) -> None:
    newer.fake.control.set("deaf")
    assert facts(newer.run(text_to_image()))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("no-output", ErrorCode.NO_IMAGES),
        ("missing-file", ErrorCode.NO_IMAGES),
        ("outside-name", ErrorCode.NO_IMAGES),
        ("cut-file", ErrorCode.NO_IMAGES),
    ],
)
def test_a_success_without_the_files_of_the_job_is_none(newer: Worker, fault: str, code: ErrorCode) -> None:
    newer.fake.control.set(fault, jobs=1)
    with pytest.raises((PermanentError, AmbiguousError)) as raised:
        newer.run(text_to_image())
    assert raised.value.code is code  # type: ignore[attr-defined]
    assert facts(newer.run(text_to_image()))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("out-of-memory", ErrorCode.OUT_OF_MEMORY),
        ("cuda-memory", ErrorCode.OUT_OF_MEMORY),
        ("host-memory", ErrorCode.OUT_OF_MEMORY),
        ("node", ErrorCode.ENGINE_ERROR),
    ],
)
def test_an_exception_of_a_node_is_the_tasks_error(newer: Worker, kind: str, code: ErrorCode) -> None:
    newer.fake.control.set("error", jobs=1, kind=kind)
    with pytest.raises(PermanentError) as raised:
        newer.run(text_to_image())
    assert raised.value.code is code
    assert "KSampler" in raised.value.message
    newer.engine.failed(raised.value)
    assert newer.fake.control.stats()["frees"] == (code is ErrorCode.OUT_OF_MEMORY)
    assert newer.engine.diagnose(raised.value) is Verdict.TASK


def test_a_cuda_error_ends_the_server(newer: Worker) -> None:
    newer.fake.control.set("error", jobs=1, kind="cuda")
    with pytest.raises(ReplaceEngine):
        newer.run(text_to_image())


def test_a_full_disk_is_no_fault_of_the_task(newer: Worker) -> None:
    newer.fake.control.set("error", jobs=1, kind="disk-full")
    with pytest.raises(RetryableError):
        newer.run(text_to_image())


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
    assert Worker(newer.fake, newer.root).left_behind() == []
    assert newer.server.remaining() == 0
