"""SD Web UI uses the checkpoint that was asked for, or the task fails: on a fake of the recorded one."""

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
from container.consumer.engines.sdwebui.models.switch import Models
from domain.errors import ErrorCode, PermanentError, RetryableError
from local.fakes.sdwebui.checkpoint_file import write_checkpoint
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.server import in_thread
from local.fakes.sdwebui.settings import Settings
from tests.support.models import CKPT, ModelSetup, checkpoint

UNLOADABLE = b'\x0a\0\0\0\0\0\0\0{"a": 1}  ' + b"x" * 100
"""A header that only SD Web UI finds wanting."""

BIG = {"width": 64, "height": 64, "steps": 1}


class Desk:
    """A fake on the model_setup's volume, the client to it, and a record of what it was asked to do."""

    def __init__(self, model_setup: ModelSetup, parts: Components, url: str) -> None:
        self.model_setup = model_setup
        self.components = parts
        self.webui = WebUi(url, inference_timeout_seconds=30)
        self.asked: list[str] = []
        self.webui._probes.event_hooks["request"].append(self._note)

    def _note(self, request: httpx.Request) -> None:
        if request.method == "POST":
            self.asked.append(request.url.path.removeprefix("/sdapi/v1/"))

    def models(
        self, *, own: str = "", dynamic: bool = True, bucket: bool = True, in_memory: int = 0
    ) -> Models:
        """Make what the worker holds, with the model_setup's bucket or without any."""
        store = (
            self.model_setup.store(lists=EngineModelLists(self.webui))
            if bucket
            else ModelStore(ModelResolver(None, None, EngineModelLists(self.webui)), None)
        )
        return Models(store, self.webui, own=own, dynamic=dynamic, in_memory=in_memory)

    def put(self, name: str, content: bytes) -> None:
        """Put a checkpoint that the fake can load into the bucket."""
        path = write_checkpoint(self.model_setup.root.parent / "made.safetensors", content)
        self.model_setup.put(f"{CKPT}/{name}", path.read_bytes())

    def job(self, **more: Any) -> str:
        """Run a job and return which checkpoint it used."""
        body = json.dumps({"prompt": "a cat", **BIG, **more}).encode()
        answer = json.loads(self.webui.run("/sdapi/v1/txt2img", lambda: body))
        return str(json.loads(answer["info"])["sd_model_name"])


@pytest.fixture
def desk(model_setup: ModelSetup) -> Iterator[Desk]:
    """Run a fake whose model folder is the volume, with one checkpoint from the start."""
    write_checkpoint(model_setup.root / CKPT / "first.safetensors", b"first")
    parts = Components.make(Settings(model_dir=model_setup.root, load_seconds=0, step_seconds=0))
    with in_thread(parts) as url:
        yield Desk(model_setup, parts, url)


def failure(action: Callable[[], object]) -> PermanentError:
    """Return what an action fails its task with."""
    with pytest.raises(PermanentError) as caught:
        action()
    return caught.value


@pytest.mark.parametrize(
    "name", ["plain.safetensors", "Ünï 模型 [fp16] (v2).safetensors", "sub/deep.safetensors"]
)
def test_uses_a_checkpoint_that_was_only_in_the_bucket(desk: Desk, name: str) -> None:
    """Fetched, shown to Web UI, selected before the job, and used; asked once for all of it."""
    desk.put(name, b"other")
    models = desk.models()
    models.ensure(checkpoint(name))
    for _ in range(2):
        expected = models.switch(checkpoint(name))
        assert desk.job() == expected
    assert desk.asked == ["refresh-checkpoints", "options"]


def test_refreshes_only_for_a_new_file(desk: Desk) -> None:
    """What Web UI lists already needs no refresh; what comes to the volume does, once."""
    desk.put("second.safetensors", b"second")
    lora = write_checkpoint(desk.model_setup.root.parent / "lora.safetensors")
    desk.model_setup.put("Lora/style.safetensors", lora.read_bytes())
    models = desk.models()
    styled = {"prompt": "<lora:style:1>"}
    tasks: list[tuple[str, dict[str, Any]]] = [("first", {}), ("second", {}), ("first", {})]
    for name, more in [*tasks, ("second", styled), ("second", styled)]:
        assert models.switch(checkpoint(name, **more)) == desk.job()
    assert desk.asked == ["options", "refresh-checkpoints", "options", "options", "refresh-loras", "options"]


def test_an_unknown_name_costs_no_gpu_time(desk: Desk) -> None:
    """No option is set and no job runs; the model of the next task is not changed."""
    models = desk.models()
    for content in (checkpoint("frist"), checkpoint("FIRST"), checkpoint("first", prompt="<lora:none:1>")):
        assert failure(partial(models.switch, content)).code is ErrorCode.MODEL_NOT_FOUND
    assert "'first.safetensors'" in failure(lambda: models.switch(checkpoint("frist"))).message
    assert desk.asked == []


def test_without_a_bucket_what_is_listed_exists(desk: Desk) -> None:
    """All recorded forms of a listed name, hashes once it was loaded; nothing else."""
    models = desk.models(bucket=False)
    models.switch(checkpoint("first"))
    desk.job()
    entry = desk.webui.get("/sdapi/v1/sd-models")[0]
    for name in ("first.safetensors", "first", entry["title"], entry["hash"], entry["sha256"]):
        models.ensure(checkpoint(name))
        assert models.switch(checkpoint(name)) == "first"
    fault = failure(lambda: models.ensure(checkpoint("frist")))
    assert fault.code is ErrorCode.MODEL_NOT_FOUND
    assert "'first.safetensors'" in fault.message
    lora = failure(lambda: models.ensure(checkpoint("first", prompt="<lora:nope:1>")))
    assert lora.code is ErrorCode.MODEL_NOT_FOUND


def test_a_checkpoint_that_cannot_be_loaded_fails_its_task_only(desk: Desk) -> None:
    """What only Web UI can tell fails that task, then not even that; another model's task succeeds."""
    desk.model_setup.put(f"{CKPT}/corrupt.safetensors", UNLOADABLE)
    desk.put("third.safetensors", b"third")
    models = desk.models()
    models.switch(checkpoint("first"))
    desk.job()
    models.switch(checkpoint("corrupt"))
    fault = failure(desk.job)
    assert fault.code is ErrorCode.MODEL_UNUSABLE
    models.failed(fault)
    again = failure(lambda: models.switch(checkpoint("corrupt")))
    assert again.code is ErrorCode.MODEL_UNUSABLE
    assert models.switch(checkpoint("third")) == desk.job() == "third"
    assert models.switch(checkpoint("first")) == desk.job() == "first"


def test_a_listed_file_that_is_cut_off_never_reaches_web_ui(desk: Desk) -> None:
    """Also without a bucket: a copy that is half done would poison Web UI for everybody."""
    whole = (desk.model_setup.root / CKPT / "first.safetensors").read_bytes()
    (desk.model_setup.root / CKPT / "half.safetensors").write_bytes(whole[:-2])
    desk.webui.post("/sdapi/v1/refresh-checkpoints", {})
    models = desk.models(bucket=False)
    assert failure(lambda: models.switch(checkpoint("half"))).code is ErrorCode.MODEL_UNUSABLE
    assert models.switch(checkpoint("first")) == desk.job()


def test_notices_that_web_ui_was_started_anew(desk: Desk) -> None:
    """A Web UI that lost the option gets it again, before a job runs with another model."""
    desk.put("second.safetensors", b"second")
    models = desk.models()
    models.switch(checkpoint("second"))
    desk.components.options.post({"sd_model_checkpoint": "first.safetensors"})
    assert models.switch(checkpoint("second")) == desk.job() == "second"


def test_web_ui_keeps_checkpoints_in_memory(desk: Desk) -> None:
    """Going back to a checkpoint that is kept costs no load; asked for beside the switch, in one call."""
    desk.put("second.safetensors", b"second")
    models = desk.models(in_memory=2)
    for name in ("first", "second", "first", "second"):
        assert models.switch(checkpoint(name)) == desk.job() == name
    assert len(desk.components.stats.model_loads) == 2


def test_a_static_runtime_serves_its_own(desk: Desk) -> None:
    """Its own model is selected whatever Web UI began with; another one is refused, not ignored."""
    write_checkpoint(desk.model_setup.root / CKPT / "a-before.safetensors", b"other")
    desk.webui.post("/sdapi/v1/refresh-checkpoints", {})
    models = desk.models(own="first.safetensors", dynamic=False)
    for content in ({"prompt": "x"}, checkpoint("first"), checkpoint("first.safetensors")):
        assert models.switch(content) == desk.job() == "first"
    assert failure(lambda: models.ensure(checkpoint("a-before"))).code is ErrorCode.MODEL_NOT_FOUND
    assert desk.asked == ["refresh-checkpoints", "options"]
    digits = sha256((desk.model_setup.root / CKPT / "first.safetensors").read_bytes()).hexdigest()[:10]
    assert models.switch(checkpoint(f"first.safetensors [{digits}]")) == desk.job() == "first"
    wrong = failure(lambda: models.switch(checkpoint("first.safetensors [0123456789]")))
    assert "not with the hash 0123456789" in wrong.message


def test_a_deployment_without_its_own_model_is_no_fault_of_a_task(desk: Desk) -> None:
    """The static checkpoint that Web UI does not list may come with the next start."""
    models = desk.models(own="missing.safetensors", dynamic=False)
    with pytest.raises(RetryableError) as caught:
        models.switch({"prompt": "x"})
    assert "missing.safetensors" in caught.value.message


def test_upscalers_are_those_that_web_ui_knows(desk: Desk) -> None:
    """Web UI's own are let through with their weights; one that arrived after its start cannot be used."""
    models = desk.models()
    desk.model_setup.put("RealESRGAN/RealESRGAN_x4plus.pth")
    desk.model_setup.put("ESRGAN/4x-UltraSharp.pth")
    models.ensure({"image": "x", "upscaler_1": "R-ESRGAN 4x+", "upscaler_2": "Lanczos"})
    assert (desk.model_setup.root / "RealESRGAN" / "RealESRGAN_x4plus.pth").is_file()
    late = failure(lambda: models.ensure({"image": "x", "upscaler_1": "4x-UltraSharp"}))
    assert "SYNC_FOLDERS" in late.message
    near = failure(lambda: models.ensure({"image": "x", "upscaler_1": "R-ESRGAN 4x"}))
    assert "'R-ESRGAN 4x+'" in near.message
