"""The limits of a task, the lists of what it may name, and the documents that publish them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ErrorCode
from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime, Runtimes
from runtimes.sdwebui.bounds import bounds, limit_faults
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.inputs import image_fields
from runtimes.sdwebui.overrides import (
    ALLOWED_SETTINGS,
    REFUSED_SETTING_PREFIXES,
    REFUSED_SETTINGS,
    setting_refusal,
)
from runtimes.sdwebui.policy import NAMED_SCRIPTS, OWNED_FIELDS, REFUSED_SCRIPTS, ROUTING_KEYS
from runtimes.sdwebui.task_type import TaskType
from runtimes.sdwebui.upscaling import exceeds_upscaling_limit
from tests.support.recordings import recording

ROOT = Path(__file__).parents[4]
STATIC = Runtime("r", model_filename="m.safetensors")
TEXT, IMAGE, EXTRA = TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE, TaskType.EXTRA_SINGLE_IMAGE
BATCH = TaskType.EXTRA_BATCH_IMAGES
LINK = "https://example.com/a.png"


def settings_file() -> dict[str, Any]:
    """Return the settings file for SD Web UI, with the settings that a task may override."""
    our_settings = json.loads((ROOT / "container/consumer/engines/sdwebui/image/settings.json").read_text())
    return {name: our_settings[name] for name in ALLOWED_SETTINGS}


def fault_paths(
    content: dict[str, Any],
    tasktype: TaskType = TEXT,
    *,
    runtime: Runtime = STATIC,
    limits: Limits = DEFAULT_LIMITS,
) -> list[str]:
    """Return the pointers of a content's errors."""
    check = ContentCheck(tasktype, runtime, path="", limits=limits)
    check.normalize(content)
    return [fault.path for fault in check.faults]


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"steps": 1001}, "/steps"),
        ({"steps": "1001"}, "/steps"),
        ({"hr_second_pass_steps": 1001}, "/hr_second_pass_steps"),
        ({"batch_size": 8, "n_iter": 9}, "/n_iter"),
        ({"width": 2048, "height": 2056}, "/width"),
        ({"width": 65536}, "/width"),
        ({"width": None}, "/width"),
        ({"firstphase_width": 4096, "firstphase_height": 4096}, "/firstphase_width"),
        ({"seed_resize_from_w": 65536, "seed_resize_from_h": 65536}, "/seed_resize_from_w"),
        ({"enable_hr": True, "width": 2048, "height": 2048, "hr_scale": 4.1}, "/hr_scale"),
        ({"enable_hr": "true", "hr_scale": "1e999"}, "/hr_scale"),
        ({"enable_hr": True, "width": 64, "height": 2048, "hr_resize_x": 8192}, "/hr_resize_x"),
        ({"hr_resize_y": 10**400}, "/hr_resize_y"),
        ({"script_name": "Prompt Matrix", "prompt": "a|b|c|d|e|f|g|h"}, "/prompt"),
        (
            {"script_name": "Prompt matrix", "script_args": [0, 0, "negative"], "negative_prompt": "|" * 7},
            "/negative_prompt",
        ),
        ({"script_name": "Loopback", "script_args": ["100000"]}, "/script_args/0"),
        ({"script_name": "SD upscale", "script_args": [None, 64, 0, [0, 0]]}, "/script_args/3"),
        ({"script_name": "SD upscale", "script_args": [None, 511, 0, 2]}, "/script_args/1"),
        ({"prompt": "x" * 11}, "/prompt"),
        (
            {"alwayson_scripts": {"controlnet": {"args": [{"image": LINK}, LINK, LINK]}}},
            "/alwayson_scripts/controlnet/args/2",
        ),
    ],
)
def test_a_value_beyond_a_limit_is_refused_with_its_pointer(content: dict[str, Any], path: str) -> None:
    limits = Limits(links=2, prompt_characters=10) if "prompt" in path or "args" in path else DEFAULT_LIMITS
    if "prompt" in path and "script_name" in content:
        limits = DEFAULT_LIMITS
    assert path in fault_paths(content, limits=limits)


@pytest.mark.parametrize(
    ("content", "tasktype"),
    [
        ({"batch_size": 8, "n_iter": 8, "width": 1024, "height": 1024, "steps": 149}, TEXT),
        ({"width": 2048, "height": 2048, "steps": 1000}, TEXT),
        ({"enable_hr": True, "width": 2048, "height": 2048, "hr_scale": 4}, TEXT),
        ({"enable_hr": True, "hr_resize_x": 8192, "hr_resize_y": 8192}, TEXT),
        ({"hr_scale": 1000}, TEXT),
        ({"script_name": "prompt matrix", "prompt": "a|b|c|d|e|f|g"}, TEXT),
        ({"init_images": [LINK], "script_name": "SD upscale", "script_args": [None, 256, 0, 2]}, IMAGE),
        (
            {"script_name": "prompt matrix", "script_args": [0, 0, "positive"], "negative_prompt": "|" * 7},
            TEXT,
        ),
        ({"init_images": [LINK] * 32}, IMAGE),
        ({"image": LINK, "resize_mode": 1, "upscaling_resize_w": 8192, "upscaling_resize_h": 8192}, EXTRA),
        ({"refiner_checkpoint": "None", "hr_checkpoint_name": "Use same checkpoint"}, TEXT),
        ({"refiner_checkpoint": "m"}, TEXT),
        ({"override_settings": settings_file()}, TEXT),
        ({"alwayson_scripts": {"AnimateDiff": {"args": [{"video_path": "", "model": "mm.ckpt"}]}}}, TEXT),
    ],
)
def test_a_value_at_its_limit_is_accepted(content: dict[str, Any], tasktype: TaskType) -> None:
    assert fault_paths(content, tasktype) == []


@pytest.mark.parametrize(
    ("content", "tasktype", "path"),
    [
        ({"init_images": [LINK] * 33}, IMAGE, "/init_images/32"),
        ({"init_images": ["x"] * 65}, IMAGE, "/init_images"),
        ({"init_images": ["x"], "mask_blur": 513}, IMAGE, "/mask_blur"),
        ({"init_images": ["x"], "resize_mode": 4}, IMAGE, "/resize_mode"),
        ({"init_images": ["x"], "inpainting_fill": -1}, IMAGE, "/inpainting_fill"),
        ({"init_images": ["x"], "inpainting_mask_invert": 2}, IMAGE, "/inpainting_mask_invert"),
        ({"init_images": ["x"], "denoising_strength": 1.1}, IMAGE, "/denoising_strength"),
        ({"enable_hr": True, "denoising_strength": "75"}, TEXT, "/denoising_strength"),
        ({"image": "x", "resize_mode": 2}, EXTRA, "/resize_mode"),
        (
            {
                "init_images": ["x"],
                "width": 64,
                "script_name": "SD upscale",
                "script_args": [None, 64, "None", 2],
            },
            IMAGE,
            "/script_args/1",
        ),
        ({"imageList": [{"data": LINK, "name": "a"}] * 33}, BATCH, "/imageList/32/data"),
        ({"image": "x", "upscaling_resize": 17}, EXTRA, "/upscaling_resize"),
        (
            {"image": "x", "resize_mode": 1, "upscaling_resize_w": 8192, "upscaling_resize_h": 8193},
            EXTRA,
            "/upscaling_resize_w",
        ),
    ],
)
def test_links_and_upscaling_are_limited_at_submit(
    content: dict[str, Any], tasktype: TaskType, path: str
) -> None:
    assert fault_paths(content, tasktype) == [path]


ULTIMATE_SD_UPSCALE = {"script_name": "Ultimate SD upscale", "script_args": [None] * 14 + [1, 65536, 8, 2]}
UNIT = {"alwayson_scripts": {"ControlNet": {"args": [{"image": "x", "processor_res": 1024}]}}}


@pytest.mark.parametrize(
    ("content", "path", "size", "exceeds_limit"),
    [
        ({}, "/image", (4096, 4097), True),
        ({}, "/image", (4096, 4096), False),
        ({"upscaling_resize": 8}, "/imageList/0/data", (1024, 1025), True),
        ({"upscaling_resize": 8}, "/init_images/0", (4096, 4096), False),
        ({"resize_mode": 1}, "/image", (8192, 8192), False),
        (
            {"resize_mode": 1, "upscaling_resize_w": 65536, "upscaling_resize_h": 8},
            "/image",
            (512, 512),
            True,
        ),
        ({"resize_mode": 1, "upscaling_resize_w": 65536}, "/image", (512, 512), True),
        ({"resize_mode": 1, "upscaling_resize_w": 65536}, "/image", (65536, 1024), False),
        ({"resize_mode": 1, "width": 2048, "height": 2048}, "/init_images/0", (8192, 8), True),
        ({"resize_mode": 1, "width": 2048, "height": 2048}, "/mask", (8, 8192), True),
        ({"resize_mode": 0, "width": 2048, "height": 2048}, "/init_images/0", (8192, 8), False),
        (
            {"width": 2048, "height": 2048, "override_settings": {"upscaler_for_img2img": "Lanczos"}},
            "/init_images/0",
            (8192, 8),
            True,
        ),
        (
            {"script_name": "SD upscale", "script_args": [None, 64, "None", 4]},
            "/init_images/0",
            (2048, 2049),
            True,
        ),
        (
            {"script_name": "SD upscale", "script_args": [None, 64, "None", 4]},
            "/init_images/0",
            (2048, 2048),
            False,
        ),
        (ULTIMATE_SD_UPSCALE, "/init_images/0", (512, 512), True),
        (ULTIMATE_SD_UPSCALE, "/init_images/0", (65536, 8), False),
        (UNIT, "/alwayson_scripts/ControlNet/args/0/image", (8192, 8), True),
        (UNIT, "/alwayson_scripts/ControlNet/args/0/image", (4096, 4096), False),
    ],
)
def test_upscaling_is_limited_by_the_sides_of_the_input(
    content: dict[str, Any], path: str, size: tuple[int, int], *, exceeds_limit: bool
) -> None:
    assert exceeds_upscaling_limit(content, path, size, DEFAULT_LIMITS) is exceeds_limit


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"override_settings": {"jpeg_quality": 1}}, "/override_settings/jpeg_quality"),
        ({"override_settings": {"samples_format": "webp"}}, "/override_settings/samples_format"),
        (
            {"alwayson_scripts": {"override_settings": {"no_such": 1}}},
            "/alwayson_scripts/override_settings/no_such",
        ),
        ({"script_name": "Custom Code"}, "/script_name"),
        ({"script_name": "X/Y/Z plot"}, "/script_name"),
        ({"alwayson_scripts": {"Refiner": {"args": [True, "x", 0.5]}}}, "/alwayson_scripts/Refiner"),
        (
            {"alwayson_scripts": {"ControlNet": {"args": [{"batch_image_dir": "/"}]}}},
            "/alwayson_scripts/ControlNet/args/0/batch_image_dir",
        ),
        (
            {"alwayson_scripts": {"a": {"args": [[{"video_path": "/etc"}]]}}},
            "/alwayson_scripts/a/args/0/0/video_path",
        ),
        ({"refiner_checkpoint": "other"}, "/refiner_checkpoint"),
        ({"enable_hr": True, "hr_checkpoint_name": "other"}, "/hr_checkpoint_name"),
    ],
)
def test_settings_scripts_paths_and_checkpoints_that_affect_more_than_the_task_are_refused(
    content: dict[str, Any], path: str
) -> None:
    assert fault_paths(content) == [path]


def test_only_a_static_runtime_refuses_a_second_checkpoint() -> None:
    dynamic = Runtime("d", dynamic_model=True, model_filename="m.safetensors")
    check = ContentCheck(TEXT, STATIC, path="")
    check.normalize({"refiner_checkpoint": "other"})

    assert fault_paths({"refiner_checkpoint": "other"}, runtime=dynamic) == []
    assert [fault.code for fault in check.faults] == [ErrorCode.UNKNOWN_MODEL]


@pytest.mark.parametrize(
    ("allowed_scripts", "accepted_scripts"),
    [
        (None, {"controlnet", "prompt matrix"}),
        (frozenset(), set()),
        (frozenset({"controlnet"}), {"controlnet"}),
        (frozenset({"x/y/z plot", "custom code", "seed"}), {"x/y/z plot"}),
    ],
)
def test_a_runtime_lists_the_scripts_that_a_task_may_name(
    allowed_scripts: frozenset[str] | None, accepted_scripts: set[str]
) -> None:
    runtime = Runtime("r", model_filename="m.safetensors", scripts=allowed_scripts)
    for name in ("controlnet", "prompt matrix", "x/y/z plot", "custom code", "seed"):
        for spelling in (name, name.title()):
            always_on = {"alwayson_scripts": {spelling: {"args": [{"image": "x"}]}}}
            assert bool(fault_paths({"script_name": spelling}, runtime=runtime)) == (
                name not in accepted_scripts
            )
            assert bool(fault_paths(always_on, runtime=runtime)) == (name not in accepted_scripts)


NUMBERS = (
    st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), "1", "+-1", " 7 ", "1e400", "nan"])
)
CONTENT = st.dictionaries(
    st.sampled_from([name for tasktype in TaskType for name in bounds(tasktype, DEFAULT_LIMITS)])
    | st.sampled_from(
        ["enable_hr", "hr_scale", "resize_mode", "init_images", "imageList", "image", "script_name", "prompt"]
    ),
    NUMBERS | st.none() | st.text(max_size=4) | st.lists(st.none() | st.just(LINK), max_size=3),
    max_size=8,
)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(content=CONTENT, tasktype=st.sampled_from(TaskType))
def test_no_spelling_of_a_number_breaks_the_check(content: dict[str, Any], tasktype: TaskType) -> None:
    for fault in limit_faults(tasktype, content, DEFAULT_LIMITS):
        assert fault.path.startswith("/")
    assert exceeds_upscaling_limit(content, "/image", (1, 1), DEFAULT_LIMITS) in (True, False)
    assert all(image.path.startswith("/") for image in image_fields(content))
    ContentCheck(tasktype, STATIC, path="").normalize(content)


@pytest.mark.parametrize("tasktype", TaskType)
def test_every_limit_is_for_a_known_field(tasktype: TaskType) -> None:
    assert bounds(tasktype, DEFAULT_LIMITS).keys() <= FIELDS[tasktype].keys()


LIMITS = st.builds(Limits, **{name: st.integers(0, 1 << 40) for name in Limits.__slots__})
RUNTIMES = st.lists(
    st.builds(
        Runtime,
        name=st.text(min_size=1, max_size=8),
        model_filename=st.none() | st.text(min_size=1, max_size=8),
        dynamic_model=st.booleans(),
        queue_url=st.text(max_size=8),
        scripts=st.none() | st.frozensets(st.text(max_size=8), max_size=3),
    ),
    unique_by=lambda runtime: runtime.name,
    max_size=3,
)


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(limits=LIMITS, runtimes=RUNTIMES)
def test_limits_and_runtimes_round_trip_through_the_environment(
    limits: Limits, runtimes: list[Runtime]
) -> None:
    assert Limits.from_json(limits.to_json()) == limits
    assert list(Runtimes.from_json(json.dumps([runtime.as_dict() for runtime in runtimes]))) == runtimes


@pytest.mark.parametrize(
    "text", ["", "1", "{", '{"no": 1}', '{"links": "1"}', '{"links": true}', '{"links": -1}']
)
def test_invalid_limits_raise_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Limits.from_json(text)


def first_column(text: str, heading: str) -> list[str]:
    """Return the first column of the last table below a heading."""
    section = text.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_the_documented_lists_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    owned_section, settings_section = (
        text.split("\n## Read")[0],
        text.split("\n## Settings")[1].split("\n## ")[0],
    )
    paragraph = settings_section.split("is taken as")[1].split("To allow one more")[0]

    assert set(re.findall(r"^\| `([^`]+)` \|", owned_section, re.MULTILINE)) == OWNED_FIELDS.keys()
    assert all(f"`{key}`" in owned_section for key in ROUTING_KEYS)
    assert set(re.findall(r"`(\w+)`[,.]", paragraph.split("\n", 1)[1])) == ALLOWED_SETTINGS
    assert set(first_column(text, "Settings")) == {
        *REFUSED_SETTINGS,
        *(f"{start}…" for start in REFUSED_SETTING_PREFIXES),
    }
    assert set(first_column(text, "Scripts")) == {*REFUSED_SCRIPTS, *NAMED_SCRIPTS}


def recorded_options() -> dict[str, Any]:
    """Return the options of a real SD Web UI after its start."""
    options: dict[str, Any] = recording("01-preload-options")["response"]["json"]
    return options


def test_every_setting_that_a_task_may_override_is_in_the_settings_file() -> None:
    """SD Web UI restores after a job only settings that its settings file contains."""
    our_settings = json.loads((ROOT / "container/consumer/engines/sdwebui/image/settings.json").read_text())
    recorded_settings = recorded_options()

    assert {name: our_settings[name] for name in ALLOWED_SETTINGS} == {
        name: recorded_settings[name] for name in ALLOWED_SETTINGS
    }
    assert not ALLOWED_SETTINGS & {*REFUSED_SETTINGS}
    assert not any(name.startswith(start) for name in ALLOWED_SETTINGS for start in REFUSED_SETTING_PREFIXES)


def test_every_setting_of_a_real_web_ui_is_either_allowed_or_refused() -> None:
    passing = {name for name in recorded_options() if setting_refusal(name) is None}
    looks_at: Callable[[str], bool] = re.compile(
        r"dir|path|file|format|api|save|font|extension|limit|cache"
    ).search  # type: ignore[assignment]

    assert passing == ALLOWED_SETTINGS | {"sd_model_checkpoint"}
    assert not [name for name in ALLOWED_SETTINGS if looks_at(name)]
