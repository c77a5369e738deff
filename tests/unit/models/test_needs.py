"""Every model that a task names is found, wherever it names it."""

from typing import Any

import pytest

from container.consumer.engines.sdwebui.models.required import ModelRequirement, needs
from runtimes.sdwebui.model_names import Kind


def named(content: dict[str, Any]) -> list[tuple[Kind, str, str]]:
    """Return kind, name and place of each need."""
    return [(need.kind, need.name, need.path) for need in needs(content)]


def test_finds_all_places() -> None:
    """Checkpoints, VAEs, networks, ControlNet models and upscalers, each with its place in the request."""
    content = {
        "prompt": "a cat <lora:style v2:0.8> <lyco:ünï [x]:1:0.5>",
        "negative_prompt": "ugly <lora:bad-hands:1>",
        "enable_hr": True,
        "hr_prompt": "<hypernet:hn:1>",
        "hr_checkpoint_name": "hires.safetensors",
        "hr_upscaler": "4x-UltraSharp",
        "refiner_checkpoint": "refiner",
        "override_settings": {"sd_vae": "a.vae.pt", "forge_additional_modules": ["ae.safetensors"]},
        "alwayson_scripts": {
            "sd_model_checkpoint": "模型 (v2)",
            "sd_vae": "b.safetensors",
            "ControlNet": {
                "args": [
                    {"model": "control_v11p_sd15_canny [d14c016b]"},
                    {"model": "off", "enabled": False},
                    {"model": "None"},
                ],
            },
            "ADetailer": {"args": [True, {"ad_prompt": "<lora:face:1>"}]},
        },
    }
    assert named(content) == [
        (Kind.CHECKPOINT, "模型 (v2)", "/alwayson_scripts/sd_model_checkpoint"),
        (Kind.CHECKPOINT, "refiner", "/refiner_checkpoint"),
        (Kind.CHECKPOINT, "hires.safetensors", "/hr_checkpoint_name"),
        (Kind.VAE, "a.vae.pt", "/override_settings/sd_vae"),
        (Kind.MODULE, "ae.safetensors", "/override_settings/forge_additional_modules/0"),
        (Kind.VAE, "b.safetensors", "/alwayson_scripts/sd_vae"),
        (Kind.LORA, "style v2", "/prompt"),
        (Kind.LORA, "ünï [x]", "/prompt"),
        (Kind.LORA, "bad-hands", "/negative_prompt"),
        (Kind.HYPERNETWORK, "hn", "/hr_prompt"),
        (Kind.LORA, "face", "/alwayson_scripts/ADetailer/args/1/ad_prompt"),
        (Kind.CONTROLNET, "control_v11p_sd15_canny [d14c016b]", "/alwayson_scripts/ControlNet/args/0/model"),
        (Kind.UPSCALER, "4x-UltraSharp", "/hr_upscaler"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"prompt": "1 < 2 > 0, <b>bold</b>, <unknown:x:1>, lora:x:1"},
        {"prompt": "<lora:x:1>", "disable_extra_networks": True},
        {"hr_upscaler": "4x", "hr_checkpoint_name": "x", "enable_hr": False},
        {"enable_hr": True, "hr_checkpoint_name": "Use same checkpoint", "hr_upscaler": "None"},
        {"override_settings": {"sd_vae": "Automatic"}, "refiner_checkpoint": None},
        {"prompt": None, "alwayson_scripts": None, "override_settings": []},
        {"alwayson_scripts": {"controlnet": {"args": [None, 1, {"model": None}]}}},
    ],
)
def test_asks_for_nothing_where_nothing_is_named(content: dict[str, Any]) -> None:
    """Text is text, and Web UI's own words for "none" are no models."""
    assert needs(content) == []


def test_names_each_model_once() -> None:
    """The same LoRA in two prompts is one file."""
    assert len(needs({"prompt": "<lora:a:1> <lora:a:0.5>", "negative_prompt": "<lora:a:1>"})) == 1


@pytest.mark.parametrize("name", ["{a|b}", "__styles__"])
def test_leaves_templates_to_their_extension(name: str) -> None:
    """What an extension fills in later cannot be missing now."""
    assert needs({"prompt": f"<lora:{name}:1>"}) == [
        ModelRequirement(Kind.LORA, name, "/prompt", required=False)
    ]


def test_a_face_restorer_is_wanted_where_it_shows() -> None:
    """Its weights are of a folder, not of a name."""
    assert [need.kind for need in needs({"gfpgan_visibility": 0.5, "image": "x"})] == [Kind.FACE_RESTORER]
    assert needs({"gfpgan_visibility": 0, "image": "x"}) == []
