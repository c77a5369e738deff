"""A fake SD Web UI uses the checkpoint that the task asks for, or the task fails."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import httpx
import pytest

from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.engines.sdwebui.models.switch import ModelManager
from domain.errors import ErrorCode, PermanentError, RetryableError
from local.fakes.model_file import write_checkpoint
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.server import in_thread
from local.fakes.sdwebui.settings import Settings
from tests.support.models import CKPT, ModelSetup, checkpoint

UNLOADABLE = b'\x0a\0\0\0\0\0\0\0{"a": 1}  ' + b"x" * 100
"""A file with a valid header, which the consumer accepts, but without weights that SD Web UI can load."""

SMALL_JOB = {"width": 64, "height": 64, "steps": 1}


class Setup:
    """A fake on the volume, the client for it, and a record of its calls."""

    def __init__(self, model_setup: ModelSetup, components: Components, url: str) -> None:
        self.model_setup = model_setup
        self.components = components
        self.webui = WebUi(url, inference_timeout_seconds=30)
        self.posted_paths: list[str] = []
        self.webui._probes.event_hooks["request"].append(self._record_call)

    def _record_call(self, request: httpx.Request) -> None:
        if request.method == "POST":
            self.posted_paths.append(request.url.path.removeprefix("/sdapi/v1/"))

    def models(
        self, *, own: str = "", dynamic: bool = True, bucket: bool = True, in_memory: int = 0
    ) -> ModelManager:
        """Return the worker's models, with a bucket or without one."""
        store = (
            self.model_setup.store(lists=EngineModelLists(self.webui))
            if bucket
            else ModelStore(ModelResolver(None, None, EngineModelLists(self.webui)), None)
        )
        return ModelManager(store, self.webui, own_checkpoint=own, dynamic=dynamic, in_memory=in_memory)

    def put(self, name: str, content: bytes) -> None:
        """Upload a checkpoint that the fake can load."""
        path = write_checkpoint(self.model_setup.root.parent / "checkpoint.safetensors", content)
        self.model_setup.put(f"{CKPT}/{name}", path.read_bytes())

    def job(self, **fields: Any) -> str:
        """Run a job and return the checkpoint that it used."""
        body = json.dumps({"prompt": "a cat", **SMALL_JOB, **fields}).encode()
        answer = json.loads(self.webui.run("/sdapi/v1/txt2img", lambda: body))
        return str(json.loads(answer["info"])["sd_model_name"])


@pytest.fixture
def setup(model_setup: ModelSetup) -> Iterator[Setup]:
    """Run a fake whose model folder is the volume, with one checkpoint from the start."""
    write_checkpoint(model_setup.root / CKPT / "first.safetensors", b"first")
    components = Components.make(Settings(model_dir=model_setup.root, load_seconds=0, step_seconds=0))
    with in_thread(components) as url:
        yield Setup(model_setup, components, url)


def failure(action: Callable[[], object]) -> PermanentError:
    """Return the error that a call raises."""
    with pytest.raises(PermanentError) as caught:
        action()
    return caught.value


@pytest.mark.parametrize(
    "name", ["plain.safetensors", "Ünï 模型 [fp16] (v2).safetensors", "sub/deep.safetensors"]
)
def test_a_checkpoint_from_the_bucket_is_downloaded_listed_selected_and_used(setup: Setup, name: str) -> None:
    setup.put(name, b"other")
    models = setup.models()
    models.ensure(checkpoint(name))
    for _ in range(2):
        expected = models.switch(checkpoint(name))
        assert setup.job() == expected
    assert setup.posted_paths == ["refresh-checkpoints", "options"]


def test_the_list_is_refreshed_only_for_a_new_file(setup: Setup) -> None:
    setup.put("second.safetensors", b"second")
    lora = write_checkpoint(setup.model_setup.root.parent / "lora.safetensors")
    setup.model_setup.put("Lora/style.safetensors", lora.read_bytes())
    models = setup.models()
    styled = {"prompt": "<lora:style:1>"}
    tasks: list[tuple[str, dict[str, Any]]] = [("first", {}), ("second", {}), ("first", {})]
    for name, fields in [*tasks, ("second", styled), ("second", styled)]:
        assert models.switch(checkpoint(name, **fields)) == setup.job()
    assert setup.posted_paths == [
        "options",
        "refresh-checkpoints",
        "options",
        "options",
        "refresh-loras",
        "options",
    ]


def test_an_unknown_name_costs_no_gpu_time(setup: Setup) -> None:
    models = setup.models()
    for content in (checkpoint("frist"), checkpoint("FIRST"), checkpoint("first", prompt="<lora:none:1>")):
        assert failure(partial(models.switch, content)).code is ErrorCode.MODEL_NOT_FOUND
    assert "'first.safetensors'" in failure(lambda: models.switch(checkpoint("frist"))).message
    assert setup.posted_paths == []


def test_without_a_bucket_only_listed_checkpoints_exist(setup: Setup) -> None:
    models = setup.models(bucket=False)
    models.switch(checkpoint("first"))
    setup.job()
    entry = setup.webui.get("/sdapi/v1/sd-models")[0]
    for name in ("first.safetensors", "first", entry["title"], entry["hash"], entry["sha256"]):
        models.ensure(checkpoint(name))
        assert models.switch(checkpoint(name)) == "first"
    fault = failure(lambda: models.ensure(checkpoint("frist")))
    assert fault.code is ErrorCode.MODEL_NOT_FOUND
    assert "'first.safetensors'" in fault.message
    lora = failure(lambda: models.ensure(checkpoint("first", prompt="<lora:nope:1>")))
    assert lora.code is ErrorCode.MODEL_NOT_FOUND


def test_a_checkpoint_that_cannot_be_loaded_fails_only_its_task(setup: Setup) -> None:
    setup.model_setup.put(f"{CKPT}/corrupt.safetensors", UNLOADABLE)
    setup.put("third.safetensors", b"third")
    models = setup.models()
    models.switch(checkpoint("first"))
    setup.job()
    models.switch(checkpoint("corrupt"))
    fault = failure(setup.job)
    assert fault.code is ErrorCode.MODEL_UNUSABLE
    models.failed(fault)
    second_failure = failure(lambda: models.switch(checkpoint("corrupt")))
    assert second_failure.code is ErrorCode.MODEL_UNUSABLE
    assert models.switch(checkpoint("third")) == setup.job() == "third"
    assert models.switch(checkpoint("first")) == setup.job() == "first"


def test_a_truncated_file_is_not_given_to_web_ui(setup: Setup) -> None:
    """It would make every later job fail."""
    content = (setup.model_setup.root / CKPT / "first.safetensors").read_bytes()
    (setup.model_setup.root / CKPT / "half.safetensors").write_bytes(content[:-2])
    setup.webui.post("/sdapi/v1/refresh-checkpoints", {})
    models = setup.models(bucket=False)
    assert failure(lambda: models.switch(checkpoint("half"))).code is ErrorCode.MODEL_UNUSABLE
    assert models.switch(checkpoint("first")) == setup.job()


def test_the_option_is_set_again_after_a_restart_of_web_ui(setup: Setup) -> None:
    setup.put("second.safetensors", b"second")
    models = setup.models()
    models.switch(checkpoint("second"))
    setup.components.options.post({"sd_model_checkpoint": "first.safetensors"})
    assert models.switch(checkpoint("second")) == setup.job() == "second"


def test_web_ui_keeps_checkpoints_in_memory(setup: Setup) -> None:
    setup.put("second.safetensors", b"second")
    models = setup.models(in_memory=2)
    for name in ("first", "second", "first", "second"):
        assert models.switch(checkpoint(name)) == setup.job() == name
    assert len(setup.components.stats.model_loads) == 2


def test_a_static_runtime_selects_its_own_checkpoint_and_refuses_others(setup: Setup) -> None:
    write_checkpoint(setup.model_setup.root / CKPT / "a-before.safetensors", b"other")
    setup.webui.post("/sdapi/v1/refresh-checkpoints", {})
    models = setup.models(own="first.safetensors", dynamic=False)
    for content in ({"prompt": "x"}, checkpoint("first"), checkpoint("first.safetensors")):
        assert models.switch(content) == setup.job() == "first"
    assert failure(lambda: models.ensure(checkpoint("a-before"))).code is ErrorCode.MODEL_NOT_FOUND
    assert setup.posted_paths == ["refresh-checkpoints", "options"]
    digits = sha256((setup.model_setup.root / CKPT / "first.safetensors").read_bytes()).hexdigest()[:10]
    assert models.switch(checkpoint(f"first.safetensors [{digits}]")) == setup.job() == "first"
    wrong = failure(lambda: models.switch(checkpoint("first.safetensors [0123456789]")))
    assert "not with the hash 0123456789" in wrong.message


def test_a_missing_checkpoint_of_the_runtime_is_a_retryable_error(setup: Setup) -> None:
    models = setup.models(own="missing.safetensors", dynamic=False)
    with pytest.raises(RetryableError) as caught:
        models.switch({"prompt": "x"})
    assert "missing.safetensors" in caught.value.message


def test_upscalers_must_be_listed_by_web_ui(setup: Setup) -> None:
    models = setup.models()
    setup.model_setup.put("RealESRGAN/RealESRGAN_x4plus.pth")
    setup.model_setup.put("ESRGAN/4x-UltraSharp.pth")
    models.ensure({"image": "x", "upscaler_1": "R-ESRGAN 4x+", "upscaler_2": "Lanczos"})
    assert (setup.model_setup.root / "RealESRGAN" / "RealESRGAN_x4plus.pth").is_file()
    error = failure(lambda: models.ensure({"image": "x", "upscaler_1": "4x-UltraSharp"}))
    assert "SYNC_FOLDERS" in error.message
    near = failure(lambda: models.ensure({"image": "x", "upscaler_1": "R-ESRGAN 4x"}))
    assert "'R-ESRGAN 4x+'" in near.message
