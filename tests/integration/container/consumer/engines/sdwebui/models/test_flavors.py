"""On a fake Forge and a fake AUTOMATIC1111, what a task asks for is in the picture, or the task fails."""

import base64
import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists
from container.consumer.engines.sdwebui.models.switch import ModelManager
from container.consumer.engines.sdwebui.request import request_body
from domain.errors import ErrorCode, PermanentError
from domain.routing import Runtime
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.server import in_thread
from local.fakes.sdwebui.settings import Settings
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.task_type import TaskType
from tests.support.models import CKPT, ModelSetup
from tests.support.recordings import recording

SMALL_TASK = {"prompt": "a lighthouse", "steps": 1, "width": 64, "height": 64, "seed": 7}
PICTURE = recording("20-img2img-basic")["request"]["json"]["init_images"][0]


def safetensors(output_name: str = "", content: bytes = b"x") -> bytes:
    """Return a small file that both Web UIs accept."""
    tensor = {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}
    header = json.dumps({"__metadata__": {"ss_output_name": output_name or "-"}, "a": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + content


class Setup:
    """A fake Web UI on the volume, and the steps of the consumer from the check to the picture."""

    def __init__(self, model_setup: ModelSetup, url: str, flavor: str) -> None:
        self.model_setup = model_setup
        self.flavor = flavor
        self.webui = WebUi(url, inference_timeout_seconds=30)
        store = model_setup.store(lists=EngineModelLists(self.webui))
        self.models = ModelManager(store, self.webui, own_checkpoint="", dynamic=True)
        self.runtime = Runtime("r", dynamic_model=True)

    def picture(self, checkpoint: str = "base", **fields: Any) -> bytes:
        """Return the first picture of a task, as its worker would store it."""
        scripts = {"sd_model_checkpoint": checkpoint, **fields.pop("alwayson_scripts", {})}
        check = ContentCheck(TaskType.TEXT_TO_IMAGE, self.runtime, path="")
        content = check.normalize({**SMALL_TASK, **fields, "alwayson_scripts": scripts})
        assert check.faults == []
        body = request_body(TaskType.TEXT_TO_IMAGE, self.models.ensure(content))
        expected = self.models.switch(content)
        answer = json.loads(self.webui.run("/sdapi/v1/txt2img", lambda: body))
        assert json.loads(answer["info"])["sd_model_name"] == expected
        with Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))) as image:
            return image.tobytes()

    def put(self, key: str, content: bytes) -> None:
        """Upload a model to the bucket and make it visible at once."""
        self.model_setup.put(key, content)
        self.model_setup.now += 100

    def failure(self, *checkpoint: str, **fields: Any) -> PermanentError:
        """Return the error of a task."""
        with pytest.raises(PermanentError) as caught:
            self.picture(*checkpoint, **fields)
        return caught.value


@pytest.fixture(params=["forge", "a1111"])
def setup(request: pytest.FixtureRequest, model_setup: ModelSetup) -> Iterator[Setup]:
    """Start a fake with a VAE and a ControlNet model, which are also in the bucket."""
    at_start = ("VAE/known.safetensors", "ControlNet/canny.safetensors", f"{CKPT}/base.safetensors")
    for key in at_start:
        model_setup.put(key, safetensors(content=key.encode()))
        (model_setup.root / key).parent.mkdir(parents=True, exist_ok=True)
        (model_setup.root / key).write_bytes(safetensors(content=key.encode()))
    settings = Settings(model_dir=model_setup.root, load_seconds=0, step_seconds=0, flavor=request.param)
    with in_thread(Components.make(settings)) as url:
        new_setup = Setup(model_setup, url, request.param)
        settings_of_the_file: dict[str, Any] = (
            {"forge_additional_modules": []} if request.param == "forge" else {"sd_vae": "Automatic"}
        )
        # Web UI restores only settings that were set before, as those in our settings file are.
        new_setup.webui.post("/sdapi/v1/options", settings_of_the_file)
        yield new_setup


def controlnet_scripts(model: str) -> dict[str, Any]:
    """Return the scripts of a task with one ControlNet unit."""
    return {"controlnet": {"args": [{"module": "canny", "model": model, "input_image": PICTURE}]}}


def test_a_controlnet_model_is_applied_by_each_of_its_names(setup: Setup) -> None:
    plain = setup.picture()
    controlled = {
        setup.picture(alwayson_scripts=controlnet_scripts(name)) for name in ("canny", "canny.safetensors")
    }
    assert len(controlled) == 1
    assert plain not in controlled
    assert (
        "not with the hash" in setup.failure(alwayson_scripts=controlnet_scripts("canny [00000000]")).message
    )


def test_a_controlnet_model_that_is_added_later_is_applied_or_fails_its_task(setup: Setup) -> None:
    setup.put("ControlNet/late.safetensors", safetensors(content=b"late"))
    if setup.flavor == "forge":
        fault = setup.failure(alwayson_scripts=controlnet_scripts("late"))
        assert "name ControlNet in the runtime's syncFolders" in fault.message
    else:
        assert setup.picture(alwayson_scripts=controlnet_scripts("late")) != setup.picture()


def test_a_vae_is_used_or_fails_its_task(setup: Setup) -> None:
    plain = setup.picture()
    by_setting = setup.picture(override_settings={"sd_vae": "known.safetensors"})
    by_route = setup.picture(alwayson_scripts={"sd_vae": "known.safetensors"})
    assert by_setting == by_route != plain
    assert setup.picture(override_settings={"sd_vae": "None"}) == plain
    setup.put("VAE/late.safetensors", safetensors(content=b"late"))
    if setup.flavor == "forge":
        assert "syncFolders" in setup.failure(override_settings={"sd_vae": "late.safetensors"}).message
    else:
        assert setup.picture(override_settings={"sd_vae": "late.safetensors"}) not in (plain, by_setting)


def test_a_lora_is_applied_by_each_of_its_names(setup: Setup) -> None:
    setup.put("Lora/sub/style.safetensors", safetensors("styleAlias"))
    names = ("style", "sub/style", "sub\\style", "styleAlias")
    prompts = [f"a lighthouse <lora:{name}:1>" for name in names]
    prompts += ["a lighthouse <lyco:style:1>", "a lighthouse <LORA:style:1>"]
    pictures = {setup.picture(prompt=prompt) for prompt in prompts}
    assert len(pictures) == 1
    assert setup.picture() not in pictures


def test_an_ambiguous_lora_is_refused(setup: Setup) -> None:
    for name in ("a", "b"):
        setup.put(f"Lora/{name}.safetensors", safetensors("last", name.encode()))
        setup.put(f"Lora/{name}/same.safetensors", safetensors("", name.encode()))
    for name in ("last", "same", "a/same"):
        assert "several files" in setup.failure(prompt=f"<lora:{name}:1>").message
    assert setup.picture(prompt="<lora:a:1>") != setup.picture(prompt="<lora:b:1>")


def test_a_refiner_in_a_folder_is_used(setup: Setup) -> None:
    setup.put(f"{CKPT}/sub/refiner.safetensors", safetensors(content=b"refiner"))
    refined = setup.picture(refiner_checkpoint="sub\\refiner.safetensors", refiner_switch_at=0.5)
    assert refined != setup.picture()


def test_a_checkpoint_that_cannot_be_loaded_is_not_tried_twice(setup: Setup) -> None:
    setup.put(f"{CKPT}/broken.safetensors", b"\x0a" + bytes(7) + b'{"a": 1}  ' + b"x" * 99)
    plain = setup.picture()
    if setup.flavor == "forge":
        with pytest.raises(PermanentError) as caught:
            setup.picture("broken")
        setup.models.failed(caught.value)
    else:
        assert setup.failure("broken").code is ErrorCode.MODEL_UNUSABLE
    loads = len(setup.model_setup.transfer.fetched)
    assert setup.failure("broken").code is ErrorCode.MODEL_UNUSABLE
    assert len(setup.model_setup.transfer.fetched) == loads
    setup.put(f"{CKPT}/other.safetensors", safetensors(content=b"other"))
    assert setup.picture("other") != plain
