"""The request that is sent to SD Web UI, and that SD Web UI does it."""

import json
from typing import Any

import pytest

from container.consumer.engines.sdwebui.request import request_body
from container.consumer.engines.sdwebui.result_check import find_substitution
from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi
from runtimes.sdwebui.task_type import TaskType
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer

TEXT = TaskType.TEXT_TO_IMAGE


def sent(content: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request_body(TEXT, content))
    return body


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"enable_hr": True}, ["Use same choices"]),
        ({"enable_hr": True, "hr_additional_modules": None}, ["Use same choices"]),
        ({"enable_hr": True, "hr_additional_modules": []}, ["Use same choices"]),
        ({"enable_hr": True, "hr_additional_modules": ["vae.pt"]}, ["vae.pt"]),
        ({"enable_hr": False}, None),
    ],
)
def test_hires_fix_names_its_modules_because_forge_fails_without_them(
    content: dict[str, Any], expected: list[str] | None
) -> None:
    assert sent(content).get("hr_additional_modules") == expected


def test_a_plain_hires_fix_is_done(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    with running_consumer(cloud, webui.url):
        cloud.submit(
            task_id,
            enable_hr=True,
            hr_scale=2,
            hr_upscaler="Latent",
            denoising_strength=0.5,
            width=64,
            height=64,
        )
        row = cloud.outcome(task_id)

    assert row.status is Status.COMPLETED, row.item.get("error")
    assert cloud.output_document(task_id)["images"][0]["width"] == 128


def test_networks_are_never_switched_off_in_sd_web_ui() -> None:
    assert sent({"disable_extra_networks": True, "prompt": "a cat"})["disable_extra_networks"] is False
    assert "disable_extra_networks" not in sent({"prompt": "a cat"})


@pytest.mark.parametrize(
    ("content", "sampler", "info", "expected"),
    [
        ({}, "Euler", {"sampler_name": "DPM++ 2M"}, "the sampler DPM++ 2M instead of Euler"),
        ({}, "Euler", {"sampler_name": "Euler"}, None),
        ({}, None, {"sampler_name": "DPM++ 2M"}, None),
        ({}, "Euler", {}, None),
        (
            {"override_settings": {"sd_vae": "folder/mine.safetensors"}},
            None,
            {"sd_vae_name": "other.pt"},
            "the VAE other.pt instead of folder/mine.safetensors",
        ),
        ({"alwayson_scripts": {"sd_vae": "mine.pt"}}, None, {"sd_vae_name": "mine.pt"}, None),
        (
            {"override_settings": {"forge_additional_modules": ["ae.safetensors", "Built in", "clip.pt"]}},
            None,
            {"infotexts": ["a cat\nSteps: 1, Module 1: ae, Version: f2"]},
            "did not use the module clip.pt",
        ),
        (
            {"alwayson_scripts": {"override_settings": {"forge_additional_modules": ["VAE/ae.safetensors"]}}},
            None,
            {"infotexts": ["a cat\nSteps: 1, Module 1: ae, Version: f2"]},
            None,
        ),
        ({"override_settings": {"sd_vae": "Automatic"}}, None, {"sd_vae_name": "other.pt"}, None),
    ],
)
def test_what_sd_web_ui_used_is_compared_with_the_task(
    content: dict[str, Any], sampler: str | None, info: dict[str, Any], expected: str | None
) -> None:
    difference = find_substitution(content, sampler, info)

    assert (difference is None) if expected is None else (difference is not None and expected in difference)
