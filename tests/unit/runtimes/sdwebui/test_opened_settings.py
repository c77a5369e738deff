"""Settings of SD Web UI that an operator lets tasks override (`allowedSettings`), and their values."""

from typing import Any

import pytest

from domain.limits import Limits
from domain.routing import Runtime
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.opened_settings import refusal_to_open, value_kind
from runtimes.sdwebui.task_type import TaskType

ALLOWED_SETTINGS = {"sag_blur": 2.0, "my_steps": 5, "my_switch": True, "my_mode": "soft", "my_list": ["a"]}


def check(**settings: Any) -> tuple[dict[str, Any], dict[str, str]]:
    kinds = {name: str(value_kind(default)) for name, default in ALLOWED_SETTINGS.items()}
    runtime = Runtime("r", model_filename="m.safetensors", settings=kinds)
    content_check = ContentCheck(TaskType.TEXT_TO_IMAGE, runtime, path="", limits=Limits())
    content = content_check.normalize({"prompt": "a cat", "override_settings": settings})
    return content["override_settings"], {fault.path: fault.message for fault in content_check.faults}


@pytest.mark.parametrize(("name", "default"), [*ALLOWED_SETTINGS.items(), ("CLIP_stop_at_last_layers", 2)])
def test_a_setting_of_an_extension_may_be_opened(name: str, default: Any) -> None:
    assert refusal_to_open(name, default) is None


@pytest.mark.parametrize(
    ("name", "default", "why"),
    [
        ("outdir_samples", "", "paths on the worker"),
        ("wildcard_dir", "", "suggests a path"),
        ("my_model_path", "", "suggests a path"),
        ("webhook_url", "", "suggests an address"),
        ("openai_api_key", "", "suggests credentials"),
        ("custom_code_on", False, "suggests code"),
        ("api_enable_requests", True, "change the server"),
        ("samples_format", "png", "encodes the images"),
        ("sd_vae_overrides_per_model_preferences", True, "when it restores it"),
        ("use_old_emphasis_implementation", False, "encoding"),
        ("sd_model_checkpoint", "x", "a task names its models"),
        ("sd_lora", "x", "a task names its models"),
        ("CLIP_stop_at_last_layers", "two", "an integer is expected"),
        ("my_mode", {"a": 1}, "its default must be"),
        ("my_mode", None, "its default must be"),
        ("my_mode", [1], "its default must be"),
        ("my_mode", "/etc/passwd", "paths or links"),
        ("my_mode", "https://example.com", "paths or links"),
        ("", 1, "not a valid name"),
        ("a/b", 1, "not a valid name"),
    ],
)
def test_a_setting_that_affects_other_tasks_cannot_be_opened(name: str, default: Any, why: str) -> None:
    assert why in str(refusal_to_open(name, default))


def test_an_opened_setting_is_read_by_the_type_of_its_default() -> None:
    settings, faults = check(sag_blur="3.5", my_steps="7", my_switch="false", my_mode="hard", my_list=["b"])

    assert faults == {}
    assert settings == {
        "sag_blur": 3.5,
        "my_steps": 7,
        "my_switch": False,
        "my_mode": "hard",
        "my_list": ["b"],
    }


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("my_steps", "many", "an integer is expected"),
        ("my_switch", 2, "a boolean is expected"),
        ("my_mode", "../../etc/passwd", "paths or links"),
        ("my_mode", "C:\\x", "paths or links"),
        ("my_list", ["s3://bucket/key"], "paths or links"),
        ("sag_other", 1, "allowedSettings"),
    ],
)
def test_an_opened_setting_refuses_other_types_paths_and_links(name: str, value: Any, why: str) -> None:
    _, faults = check(**{name: value})

    assert why in faults[f"/override_settings/{name}"]
