"""A task that bypassed the API changes nothing but its own images."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.errors import ErrorCode
from domain.row import Row, Status
from local.fakes.sdwebui.process import FakeWebUi
from local.fakes.sdwebui.process import running as fake_webui
from runtimes.sdwebui.overrides import ALLOWED_SETTINGS, SETTING_CHOICES, SETTING_KINDS
from tests.support.cloud import Cloud
from tests.support.consumer_fixtures import FAST
from tests.support.consumers import running_consumer

CHECKPOINT_OPTIONS = ("sd_model_checkpoint", "sd_checkpoint_hash")
SETTINGS_FILE = Path(__file__).parents[6] / "container/consumer/engines/sdwebui/image/settings.json"


@pytest.fixture(scope="module")
def webui() -> Iterator[FakeWebUi]:
    """Run a fake with our settings file, so that it restores exactly the settings in it."""
    with fake_webui(**FAST) as fake:
        httpx.post(
            f"{fake.url}/sdapi/v1/options", json=json.loads(SETTINGS_FILE.read_text())
        ).raise_for_status()
        yield fake


def options(webui: FakeWebUi) -> dict[str, Any]:
    """Return Web UI's options without the checkpoint and the options that depend on it."""
    answer = httpx.get(f"{webui.url}/sdapi/v1/options").raise_for_status()
    settings: dict[str, Any] = answer.json()
    return {name: value for name, value in settings.items() if name not in CHECKPOINT_OPTIONS}


def run(cloud: Cloud, webui: FakeWebUi, task_id: str, content: dict[str, Any], **settings: Any) -> Row:
    """Publish a task directly and return its row; neither options nor environment may change."""
    before, environment = options(webui), dict(os.environ)
    with running_consumer(cloud, webui.url, **settings):
        cloud.submit(task_id, **content)
        row = cloud.outcome(task_id)
    assert options(webui) == before
    assert dict(os.environ) == environment
    return row


HOSTILE_CONTENTS: dict[str, dict[str, Any]] = {
    "a setting that would stay": {"override_settings": {"jpeg_quality": 1}},
    "a format that fails afterwards": {"override_settings": {"samples_format": "tiff"}},
    "Web UI's own fetching": {"override_settings": {"api_forbid_local_requests": False}},
    "a folder on the worker": {"override_settings": {"outdir_samples": "/models"}},
    "the routing key's overrides": {"alwayson_scripts": {"override_settings": {"save_to_dirs": False}}},
    "code": {"script_name": "custom code", "script_args": ["import os"]},
    "a script that chooses for itself": {"script_name": "prompts from file or textbox"},
    "a path as an image": {"alwayson_scripts": {"controlnet": {"args": [{"image": "/etc/hostname"}]}}},
    "a path as an argument": {"alwayson_scripts": {"controlnet": {"args": [{"batch_image_dir": "/"}]}}},
    "too many images": {"batch_size": 64, "n_iter": 64},
}


@pytest.mark.parametrize("content", HOSTILE_CONTENTS.values(), ids=HOSTILE_CONTENTS.keys())
def test_a_hostile_task_fails_before_it_uses_the_gpu(
    cloud: Cloud, webui: FakeWebUi, task_id: str, content: dict[str, Any]
) -> None:
    jobs_begun = webui.control.stats()["begun"]
    row = run(cloud, webui, task_id, content)

    assert (row.status, row.attempts) == (Status.FAILED, 1)
    assert row.item["error"]["code"] in (ErrorCode.INVALID_CONTENT, ErrorCode.INPUT_NOT_AN_IMAGE)
    assert webui.control.stats()["begun"] == jobs_begun


def test_all_overrides_of_a_task_end_with_it(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    current_settings = options(webui)
    model_settings = {"sd_vae", "forge_additional_modules", "upscaler_for_img2img", "face_restoration_model"}
    changed_settings = {
        name: _another_value(name, current_settings[name]) for name in ALLOWED_SETTINGS - model_settings
    }
    content = {"override_settings": changed_settings, "override_settings_restore_afterwards": False}

    assert run(cloud, webui, task_id, content).status is Status.COMPLETED


def test_a_setting_that_is_not_in_the_settings_file_would_stay(webui: FakeWebUi) -> None:
    """This is why only settings of the file may be overridden."""
    body = {"prompt": "x", "steps": 1, "width": 64, "height": 64, "override_settings": {"jpeg_quality": 33}}
    httpx.post(f"{webui.url}/sdapi/v1/txt2img", json=body, timeout=30).raise_for_status()

    assert options(webui)["jpeg_quality"] == 33


@pytest.mark.parametrize(
    ("allowed_scripts", "status"),
    [
        ("", Status.COMPLETED),
        ('["StyleAlign Integrated"]', Status.COMPLETED),
        ('["seg"]', Status.FAILED),
        ("[]", Status.FAILED),
    ],
)
def test_the_consumer_checks_the_list_of_scripts_too(
    cloud: Cloud, webui: FakeWebUi, task_id: str, allowed_scripts: str, status: Status
) -> None:
    content: dict[str, Any] = {"alwayson_scripts": {"StyleAlign Integrated": {"args": [True, 1.0]}}}

    assert run(cloud, webui, task_id, content, allowed_scripts=allowed_scripts).status is status


def test_the_consumer_checks_the_limits_too(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    row = run(cloud, webui, task_id, {"batch_size": 2}, limits='{"images": 1}')

    assert row.item["error"]["code"] == ErrorCode.INVALID_CONTENT
    assert "/n_iter" in row.item["error"]["message"]


def _another_value(name: str, value: Any) -> Any:
    if name in SETTING_CHOICES:
        return next(choice for choice in SETTING_CHOICES[name] if choice != value)
    match value:
        case bool():
            return not value
        case int() | float():
            if SETTING_KINDS[name] == "integer":
                return int(value) + 1
            return value + 0.5 if value < 1 else value - 0.5
        case _:
            return "None" if value != "None" else "other"
