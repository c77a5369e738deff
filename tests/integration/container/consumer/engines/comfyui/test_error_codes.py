"""Each error of a ComfyUI gets the code that says whose fault it is, on a fake that has every one."""

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from container.consumer.engines.base import AmbiguousError, ReplaceEngine, Verdict
from container.consumer.engines.comfyui.models import Models, Needed
from domain.errors import ErrorCode, PermanentError, RetryableError
from local.fakes import media
from runtimes.comfyui.needs import ALIASES
from tests.support.comfyui import CHECKPOINT, image_to_image, text_to_image
from tests.support.comfyui import node as workflow_node
from tests.support.comfyui_worker import LINK, VERSIONS, Worker, run_worker

PERMANENT = (PermanentError, Verdict.TASK)
TWICE = (AmbiguousError, Verdict.TASK)
"""The task gets one more attempt, because the error may have been the server's."""
LATER = (RetryableError, Verdict.UNREACHABLE)


@pytest.fixture(scope="module", params=VERSIONS)
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with run_worker(Path(tmp_path_factory.mktemp("comfyui")), version=request.param) as one:
        yield one


def error_of(worker: Worker, flow: dict[str, Any] | None = None) -> Any:
    with pytest.raises((PermanentError, RetryableError, ReplaceEngine)) as raised:
        worker.run(flow or image_to_image(LINK))
    assert worker.left_behind() == []
    return raised.value


@pytest.mark.parametrize(
    ("kind", "code", "outcome"),
    [
        ("missing-node", ErrorCode.NODE_NOT_FOUND, PERMANENT),
        ("no-outputs", ErrorCode.WORKFLOW_REJECTED, PERMANENT),
        ("missing-input", ErrorCode.WORKFLOW_REJECTED, PERMANENT),
        ("partly", ErrorCode.WORKFLOW_REJECTED, PERMANENT),
        ("model-not-listed", ErrorCode.MODEL_NOT_FOUND, PERMANENT),
        ("too-large", ErrorCode.INVALID_CONTENT, PERMANENT),
        ("internal", ErrorCode.WORKFLOW_REJECTED, TWICE),
        ("forbidden", ErrorCode.ENGINE_UNAVAILABLE, LATER),
        ("input-vanished", ErrorCode.ENGINE_UNAVAILABLE, TWICE),
        ("folder-gone", ErrorCode.ENGINE_UNAVAILABLE, TWICE),
    ],
)
def test_a_refused_workflow_gets_a_code_of_its_own(
    worker: Worker, kind: str, code: ErrorCode, outcome: tuple[type[Exception], Verdict]
) -> None:
    worker.fake.control.set("rejected", jobs=1, kind=kind)
    error = error_of(worker)
    assert error.code is code
    assert isinstance(error, outcome[0])
    assert worker.engine.diagnose(error) is outcome[1]
    assert worker.server.remaining() == 0


@pytest.mark.parametrize(
    ("kind", "node", "code"),
    [
        ("out-of-memory", "KSampler", ErrorCode.OUT_OF_MEMORY),
        ("cuda-memory", "VAEDecode", ErrorCode.OUT_OF_MEMORY),
        ("host-memory", "VAEEncode", ErrorCode.OUT_OF_MEMORY),
        ("broken-model", "CheckpointLoaderSimple", ErrorCode.MODEL_UNUSABLE),
        ("half-model", "CheckpointLoaderSimple", ErrorCode.MODEL_UNUSABLE),
        ("no-model", "CheckpointLoaderSimple", ErrorCode.MODEL_UNUSABLE),
        ("no-clip", "CLIPTextEncode", ErrorCode.MODEL_UNUSABLE),
        ("bad-file", "LoadImage", ErrorCode.INPUT_NOT_AN_IMAGE),
        ("bad-file", "SaveImage", ErrorCode.WORKFLOW_ERROR),
        ("node", "KSampler", ErrorCode.WORKFLOW_ERROR),
    ],
)
def test_an_exception_of_a_node_gets_a_code_of_its_own(
    worker: Worker, kind: str, node: str, code: ErrorCode
) -> None:
    worker.engine.failed(PermanentError(ErrorCode.OUT_OF_MEMORY, ""))  # so that no node is cached
    before = worker.fake.control.stats()["frees"]
    worker.fake.control.set("error", jobs=1, kind=kind, node=node)
    error = error_of(worker)
    assert isinstance(error, PermanentError)
    assert error.code is code
    assert f"({node}) failed" in error.message
    assert "/models" not in error.message
    assert "/io" not in error.message
    assert worker.engine.diagnose(error) is Verdict.TASK
    worker.engine.failed(error)
    assert worker.fake.control.stats()["frees"] - before == (code is ErrorCode.OUT_OF_MEMORY)


def test_a_server_that_has_lost_a_folder_of_models_is_broken_until_it_can_list_them(tmp_path: Path) -> None:
    with run_worker(tmp_path) as worker:
        folder = tmp_path / "output" / "checkpoints"
        folder.mkdir()
        request = worker.prepare(text_to_image())
        folder.rmdir()
        with pytest.raises(RetryableError) as raised:
            worker.start(request)
        assert worker.engine.diagnose(raised.value) is Verdict.BROKEN
        assert not worker.engine.recover()
        folder.mkdir()
        assert worker.engine.recover()
        assert worker.engine.diagnose(raised.value) is Verdict.TASK


class Refusals(Models):
    """Notes the models that no task is to use any more."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.server, None, None, ALIASES)
        self.names: list[str] = []

    def refuse(self, models: Iterable[Needed], defect: str) -> None:
        super().refuse(models, defect)
        self.names += [model.name for model in models]


@pytest.mark.parametrize(
    ("kind", "node", "refused"),
    [
        ("broken-model", "CheckpointLoaderSimple", [CHECKPOINT]),
        ("half-model", "VAELoader", ["example-vae.safetensors"]),
        ("broken-model", "KSampler", []),
        ("no-clip", "CLIPTextEncode", []),
        ("no-clip", "CheckpointLoaderSimple", []),
        ("no-model", "CheckpointLoaderSimple", []),
    ],
)
def test_a_model_is_refused_to_other_tasks_only_if_the_node_that_names_it_cannot_read_it(
    tmp_path: Path, kind: str, node: str, refused: list[str]
) -> None:
    with run_worker(tmp_path) as worker:
        worker.engine._models = models = Refusals(worker)
        flow = text_to_image() | {"20": workflow_node("VAELoader", vae_name="example-vae.safetensors")}
        flow["8"]["inputs"]["vae"] = ["20", 0]
        worker.fake.control.set("error", jobs=1, kind=kind, node=node)
        error = error_of(worker, flow)
        assert error.code is ErrorCode.MODEL_UNUSABLE
        worker.engine.failed(error)
        assert models.names == refused


@pytest.mark.parametrize(
    ("kind", "node", "code"),
    [
        ("bad-file", "GetVideoComponents", ErrorCode.INPUT_WRONG_TYPE),  # which decodes it
        ("no-sound", "LoadAudio", ErrorCode.INPUT_WRONG_TYPE),
        ("bad-file", "SaveAudio", ErrorCode.WORKFLOW_ERROR),
    ],
)
def test_a_video_that_cannot_be_read_is_the_tasks(
    worker: Worker, kind: str, node: str, code: ErrorCode
) -> None:
    video = base64.b64encode(media.mp4(64, 64, 3)).decode()
    flow = {
        "1": workflow_node("LoadVideo", file=video),
        "2": workflow_node("GetVideoComponents", video=["1", 0]),
        "3": workflow_node("LoadAudio", audio=video),
        "4": workflow_node("SaveAudio", audio=["3", 0], filename_prefix="s"),
        "5": workflow_node("SaveImage", images=["2", 0], filename_prefix="f"),
    }
    worker.fake.control.set("error", jobs=1, kind=kind, node=node)
    assert error_of(worker, flow).code is code


@pytest.mark.parametrize("kind", ["cuda", "cublas"])
def test_an_error_of_the_gpu_replaces_the_engine_and_is_no_timeout(worker: Worker, kind: str) -> None:
    worker.fake.control.set("error", jobs=1, kind=kind)
    error = error_of(worker, text_to_image(seed=2))
    assert isinstance(error, ReplaceEngine)
    assert error.code is ErrorCode.ENGINE_ERROR


def test_a_full_disk_is_no_fault_of_the_task(worker: Worker) -> None:
    worker.fake.control.set("error", jobs=1, kind="disk-full", node="SaveImage")
    error = error_of(worker)
    assert isinstance(error, RetryableError)
    assert error.code is ErrorCode.ENGINE_UNAVAILABLE


def test_an_input_that_is_too_large_for_the_server_is_the_tasks(worker: Worker) -> None:
    worker.fake.control.set("upload-too-large", jobs=1)
    error = error_of(worker)
    assert isinstance(error, PermanentError)
    assert error.code is ErrorCode.INPUT_TOO_LARGE


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("no-output", ErrorCode.NO_IMAGES),
        ("missing-file", ErrorCode.NO_IMAGES),
        ("outside-name", ErrorCode.WRONG_OUTPUT),
        ("cut-file", ErrorCode.WRONG_OUTPUT),
    ],
)
def test_a_success_without_the_files_of_the_job_is_an_error(
    worker: Worker, fault: str, code: ErrorCode
) -> None:
    worker.fake.control.set(fault, jobs=1)
    assert error_of(worker).code is code
    assert worker.run(image_to_image(LINK)).artifacts
