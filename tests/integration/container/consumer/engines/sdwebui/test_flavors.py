"""On Forge and on AUTOMATIC1111, a task is done as requested or fails with a reason."""

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ErrorCode
from domain.row import Row, Status
from local.fakes.sdwebui.process import FakeWebUi, write_checkpoint
from local.fakes.sdwebui.process import running as fake_webui
from tests.support.cloud import Cloud
from tests.support.consumer_fixtures import FAST
from tests.support.consumers import running_consumer


@pytest.fixture(scope="module", params=["forge", "a1111"])
def flavor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def webui(flavor: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeWebUi]:
    """Run one of the two with a checkpoint and a LoRA."""
    folder: Path = tmp_path_factory.mktemp("models")
    write_checkpoint(folder / "Stable-diffusion/base.safetensors")
    header = json.dumps({"__metadata__": {}}).encode()
    (folder / "Lora").mkdir()
    (folder / "Lora/style.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"x")
    with fake_webui(flavor=flavor, model_dir=folder, **FAST) as fake:
        yield fake


def painted(cloud: Cloud, webui: FakeWebUi, tasks: dict[str, dict[str, Any]]) -> dict[str, Row]:
    with running_consumer(cloud, webui.url, prefetch=0):
        for name, content in tasks.items():
            cloud.submit(name, **content)
            cloud.outcome(name)
    return {name: cloud.row(name) for name in tasks}


def picture(cloud: Cloud, name: str) -> str:
    sha256: str = cloud.output_document(name)["images"][0]["sha256"]
    return sha256


def test_a_task_without_networks_does_not_use_those_of_the_previous_task(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    plain: dict[str, Any] = {"prompt": "a lighthouse", "override_settings": {"add_model_hash_to_info": True}}
    tasks = {
        f"{task_id}-first": plain,
        f"{task_id}-lora": {**plain, "prompt": "a lighthouse <lora:style:1>"},
        f"{task_id}-off": {**plain, "disable_extra_networks": True},
        f"{task_id}-stripped": {
            **plain,
            "prompt": "a lighthouse<lora:style:1>",
            "disable_extra_networks": True,
        },
        f"{task_id}-after": plain,
    }
    rows = painted(cloud, webui, tasks)

    assert {row.status for row in rows.values()} == {Status.COMPLETED}
    digests = {name.rsplit("-", 1)[1]: picture(cloud, name) for name in tasks}
    assert digests["lora"] != digests["first"]
    assert digests["off"] == digests["stripped"] == digests["after"] == digests["first"]


def test_both_do_a_plain_hires_fix(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    content = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.5}
    row = painted(cloud, webui, {task_id: content})[task_id]

    assert row.status is Status.COMPLETED, row.item["error"]
    assert cloud.output_document(task_id)["images"][0]["width"] == 128


def test_a_setting_of_forge_is_refused_on_automatic1111(
    cloud: Cloud, webui: FakeWebUi, flavor: str, task_id: str
) -> None:
    nothing, module = f"{task_id}-nothing", f"{task_id}-module"
    rows = painted(
        cloud,
        webui,
        {
            nothing: {"override_settings": {"forge_additional_modules": []}},
            module: {"override_settings": {"forge_additional_modules": ["no-such.safetensors"]}},
        },
    )

    assert rows[nothing].status is Status.COMPLETED
    assert (rows[module].status, rows[module].attempts) == (Status.FAILED, 1)
    expected = ErrorCode.MODEL_NOT_FOUND if flavor == "forge" else ErrorCode.INVALID_CONTENT
    assert rows[module].item["error"]["code"] == expected.value
    assert bool(cloud.output_document(nothing).get("warnings")) is (flavor == "a1111")


def test_a_preprocessor_gets_the_name_that_this_sd_web_ui_lists(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    image = (Path(__file__).parents[6] / "examples" / "cat.png").read_bytes()
    encoded = base64.b64encode(image).decode()
    tasks = {
        f"{task_id}-{name}": {
            "alwayson_scripts": {
                "ControlNet": {"args": [{"module": name, "model": "None", "image": encoded}]}
            }
        }
        for name in ("None", "none", "Canny")
    }
    rows = painted(cloud, webui, tasks)

    assert {row.status for row in rows.values()} == {Status.COMPLETED}, [
        r.item["error"] for r in rows.values()
    ]
    assert cloud.output_document(f"{task_id}-Canny")["warnings"][0]["message"] == "taken as canny"


def test_an_always_on_script_with_too_many_arguments_fails_at_once(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    content = {"alwayson_scripts": {"ControlNet": {"args": [{"module": "canny", "image": "x"}] * 40}}}
    row = painted(cloud, webui, {task_id: content})[task_id]

    assert (row.status, row.attempts) == (Status.FAILED, 1)
    assert "ControlNet takes" in row.item["error"]["message"]
