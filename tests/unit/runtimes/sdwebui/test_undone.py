"""Warnings about values that make a task pointless, or that have no effect without another field."""

from typing import Any

import pytest

from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.task_type import TaskType

TEXT, IMAGE = TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE
EXTRA, BATCH = TaskType.EXTRA_SINGLE_IMAGE, TaskType.EXTRA_BATCH_IMAGES
PICTURE = "https://example.com/a.png"
SIZE = {"width": 512, "height": 512}


def warned(tasktype: TaskType, content: dict[str, Any]) -> dict[str, str]:
    required: dict[TaskType, dict[str, Any]] = {
        TEXT: {"prompt": "a"},
        IMAGE: {"prompt": "a", "init_images": [PICTURE]},
        EXTRA: {"image": PICTURE},
        BATCH: {"imageList": [{"data": PICTURE, "name": "a"}]},
    }
    check = ContentCheck(tasktype, None, path="")
    check.normalize(required[tasktype] | content)
    assert check.faults == []
    return {fault.path: fault.message for fault in check.warnings}


@pytest.mark.parametrize(
    ("tasktype", "content", "path"),
    [
        (IMAGE, SIZE | {"initial_noise_multiplier": 0}, "/initial_noise_multiplier"),
        (
            IMAGE,
            SIZE | {"override_settings": {"initial_noise_multiplier": "0"}},
            "/override_settings/initial_noise_multiplier",
        ),
        (IMAGE, SIZE | {"denoising_strength": 0.0}, "/denoising_strength"),
        (IMAGE, {"resize_mode": 1}, "/resize_mode"),
        (IMAGE, {"resize_mode": 0, "width": 512}, "/resize_mode"),
        (TEXT, {"refiner_checkpoint": "r", "refiner_switch_at": 1}, "/refiner_switch_at"),
        (TEXT, {"hr_scale": 2}, "/hr_scale"),
        (TEXT, {"hr_upscaler": "Latent"}, "/hr_upscaler"),
        (EXTRA, {"upscaler_1": "Lanczos", "resize_mode": 1}, "/resize_mode"),
        (EXTRA, {"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 64}, "/resize_mode"),
        (EXTRA, {"upscaler_1": "Lanczos", "upscaling_resize_w": 64}, "/upscaling_resize_w"),
        (EXTRA, {"upscaler_1": "Lanczos", "upscaler_2": "Nearest"}, "/upscaler_2"),
        (EXTRA, {}, "/upscaler_1"),
        (BATCH, {"upscaler_1": "None", "upscaling_resize": 4}, "/upscaler_1"),
    ],
)
def test_a_value_without_effect_is_warned_about(
    tasktype: TaskType, content: dict[str, Any], path: str
) -> None:
    assert warned(tasktype, content).keys() == {path}


@pytest.mark.parametrize(
    ("tasktype", "content"),
    [
        (IMAGE, SIZE | {"initial_noise_multiplier": 1.0, "denoising_strength": 0.1, "resize_mode": 2}),
        (TEXT, {"refiner_checkpoint": "r", "refiner_switch_at": 0.8}),
        (TEXT, {"enable_hr": False, "hr_scale": 2, "hr_upscaler": "Latent"}),
        (TEXT, {"enable_hr": True, "hr_scale": 2}),
        (TEXT, {"hr_second_pass_steps": 0, "hr_resize_x": 0}),
        (EXTRA, {"upscaler_1": "Lanczos", "upscaling_resize_w": 512, "upscaling_resize_h": 512}),
        (
            EXTRA,
            {
                "upscaler_1": "Lanczos",
                "resize_mode": 1,
                "upscaling_resize_w": 64,
                "upscaling_resize_h": 64,
            },
        ),
        (EXTRA, {"upscaler_1": "None", "gfpgan_visibility": 1}),
        (EXTRA, {"upscaler_1": "A", "upscaler_2": "B", "extras_upscaler_2_visibility": 0.5}),
    ],
)
def test_a_value_with_an_effect_is_not_warned_about(tasktype: TaskType, content: dict[str, Any]) -> None:
    assert warned(tasktype, content) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gfpgan_visibility", 2),
        ("codeformer_weight", -0.1),
        ("extras_upscaler_2_visibility", 1.5),
        ("upscaling_resize", 0),
        ("upscaling_resize_w", 0),
    ],
)
def test_a_value_that_sd_web_ui_would_reject_is_refused_at_submit(field: str, value: float) -> None:
    check = ContentCheck(EXTRA, None, path="")
    check.normalize({"image": PICTURE, "upscaler_1": "Lanczos", field: value})
    assert [fault.path for fault in check.faults] == [f"/{field}"]
