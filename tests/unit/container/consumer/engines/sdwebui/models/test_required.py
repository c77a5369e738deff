"""The models that a task needs are found in all fields that can name one."""

import json
import time
import tracemalloc
from typing import Any

import pytest

from container.consumer.engines.sdwebui.models.required import ModelRequirement, required_models
from runtimes.sdwebui.model_names import Kind
from runtimes.sdwebui.named_models import invalid_weights, model_mentions, rename_models


def named(content: dict[str, Any]) -> list[tuple[Kind, str, str]]:
    """Return kind, name and pointer of each required model."""
    return [(need.kind, need.name, need.path) for need in required_models(content)]


def test_models_are_found_in_all_fields() -> None:
    content = {
        "prompt": "a cat <lora:style v2:0.8> <lyco:ünï [x]:1:0.5>",
        "negative_prompt": "ugly <lora:not-applied-here:1>",
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
            "adetailer": {
                "args": [
                    True,
                    False,
                    {
                        "ad_model": "face_yolov8n.pt",
                        "ad_prompt": "<lora:face:1>",
                        "ad_negative_prompt": "<lora:not-applied-here:1>",
                        "ad_use_checkpoint": True,
                        "ad_checkpoint": "detail.safetensors",
                        "ad_use_vae": True,
                        "ad_vae": "detail-vae.pt",
                        "ad_controlnet_model": "control_v11f1p_sd15_depth [cfd03158]",
                    },
                    {"ad_model": "None", "ad_use_checkpoint": True, "ad_checkpoint": "off"},
                    {"ad_model": "x.pt", "ad_tab_enable": False, "ad_controlnet_model": "off"},
                    {"ad_model": "hand_yolov8n.pt", "ad_checkpoint": "off", "ad_vae": "off"},
                ]
            },
        },
    }
    assert named(content) == [
        (Kind.CHECKPOINT, "模型 (v2)", "/alwayson_scripts/sd_model_checkpoint"),
        (Kind.CHECKPOINT, "refiner", "/refiner_checkpoint"),
        (Kind.CHECKPOINT, "hires.safetensors", "/hr_checkpoint_name"),
        (Kind.CHECKPOINT, "detail.safetensors", "/alwayson_scripts/adetailer/args/2/ad_checkpoint"),
        (Kind.VAE, "a.vae.pt", "/override_settings/sd_vae"),
        (Kind.MODULE, "ae.safetensors", "/override_settings/forge_additional_modules/0"),
        (Kind.VAE, "b.safetensors", "/alwayson_scripts/sd_vae"),
        (Kind.LORA, "style v2", "/prompt"),
        (Kind.LORA, "ünï [x]", "/prompt"),
        (Kind.HYPERNETWORK, "hn", "/hr_prompt"),
        (Kind.LORA, "face", "/alwayson_scripts/adetailer/args/2/ad_prompt"),
        (Kind.UPSCALER, "4x-UltraSharp", "/hr_upscaler"),
        (Kind.CONTROLNET, "control_v11p_sd15_canny [d14c016b]", "/alwayson_scripts/ControlNet/args/0/model"),
        (Kind.DETECTOR, "face_yolov8n.pt", "/alwayson_scripts/adetailer/args/2/ad_model"),
        (
            Kind.CONTROLNET,
            "control_v11f1p_sd15_depth [cfd03158]",
            "/alwayson_scripts/adetailer/args/2/ad_controlnet_model",
        ),
        (Kind.VAE, "detail-vae.pt", "/alwayson_scripts/adetailer/args/2/ad_vae"),
        (Kind.DETECTOR, "hand_yolov8n.pt", "/alwayson_scripts/adetailer/args/5/ad_model"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"prompt": "1 < 2 > 0, <b>bold</b>, <unknown:x:1>, lora:x:1"},
        {"prompt": "<lora:x:1>", "disable_extra_networks": True},
        {"negative_prompt": "<lora:x:1>", "hr_prompt": "<lora:x:1>", "enable_hr": "false"},
        {"alwayson_scripts": {"ADetailer": {"args": [False, {"ad_model": "face.pt"}]}}},
        {"alwayson_scripts": {"ControlNet": {"args": [{"model": "x", "enabled": "false"}]}}},
        {"script_name": "SD upscale", "script_args": ["", 64, "None", 2]},
        {"script_name": "Loopback", "script_args": ["", 64, "x", 2]},
        {"hr_upscaler": "4x", "hr_checkpoint_name": "x", "enable_hr": False},
        {"enable_hr": True, "hr_checkpoint_name": "Use same checkpoint", "hr_upscaler": "None"},
        {"override_settings": {"sd_vae": "Automatic"}, "refiner_checkpoint": None},
        {"prompt": None, "alwayson_scripts": None, "override_settings": []},
        {"alwayson_scripts": {"controlnet": {"args": [None, 1, {"model": None}]}}},
    ],
)
def test_words_for_no_model_require_none(content: dict[str, Any]) -> None:
    assert required_models(content) == []


def test_a_model_that_is_named_twice_is_required_once() -> None:
    assert len(required_models({"prompt": "<lora:a:1> <lora:a:0.5>"})) == 1


@pytest.mark.parametrize(
    ("script", "args", "name", "by_index"),
    [
        ("SD upscale", ["", 64, "R-ESRGAN 4x+", 2], "R-ESRGAN 4x+", False),
        ("sd upscale", ["", 64, 3, 2], "3", True),
        ("Ultimate SD upscale", ["", 512, 0, 8, 32, 64, 0.35, 32, 5, True], "5", True),
    ],
)
def test_finds_the_upscaler_of_a_script(script: str, args: list[Any], name: str, by_index: bool) -> None:
    models = required_models({"script_name": script, "script_args": args})
    path = f"/script_args/{args.index(int(name) if by_index else name)}"
    assert models == [ModelRequirement(Kind.UPSCALER, name, path, is_by_index=by_index)]


def test_finds_the_checkpoints_of_a_plot_by_their_extension() -> None:
    args = [10, "a.safetensors, sub/b.ckpt", "", 0, "7,8", ""]
    assert named({"script_name": "X/Y/Z plot", "script_args": args}) == [
        (Kind.CHECKPOINT, "a.safetensors", "/script_args/1"),
        (Kind.CHECKPOINT, "sub/b.ckpt", "/script_args/1"),
    ]


def test_all_alternatives_of_a_template_are_fetched() -> None:
    template = "<lora:{style-a|style-b}:0.7> <lora:{x|{y|z}}:1>"
    models = required_models({"prompt": template})
    assert [(model.name, model.is_required) for model in models] == [
        ("style-a", False),
        ("style-b", False),
        ("{x|{y|z}}", False),
    ]


@pytest.mark.parametrize("field", ["prompt", "script_args"])
def test_a_template_with_too_many_alternatives_is_not_expanded(field: str) -> None:
    around, choices = "x" * 20_000, "|".join("a" * 10_000)
    text = f"<lora:{around}{{{choices}}}:1>"
    content = {"prompt": text} if field == "prompt" else {"script_args": [text]}

    tracemalloc.start()
    mentions = list(model_mentions(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(mentions) == 1
    assert peak < 1 << 20


def test_only_names_of_models_are_replaced() -> None:
    content: dict[str, Any] = {
        "prompt": "<lora:sub/a:1> a sub/a <lyco:b:1:x=2> <lora:c> <other:sub/a:1>",
        "negative_prompt": "<lora:sub/a:1>",
        "override_settings": {"sd_vae": "sub/v.pt"},
        "alwayson_scripts": {
            "ControlNet": {"args": [{"model": "canny"}, {"model": "canny", "enabled": False}]}
        },
        "script_name": "SD upscale",
        "script_args": ["<lora:b:1>", 64, 3],
    }
    original = json.dumps(content)
    new = {
        (Kind.LORA, "sub/a"): "a",
        (Kind.LORA, "b"): "long b",
        (Kind.VAE, "sub/v.pt"): "v.pt",
        (Kind.CONTROLNET, "canny"): "canny [d14c016b]",
    }
    assert rename_models(content, new) == {
        "prompt": "<lora:a:1> a sub/a <lora:long b:1:x=2> <lora:c> <other:sub/a:1>",
        "negative_prompt": "<lora:sub/a:1>",
        "override_settings": {"sd_vae": "v.pt"},
        "alwayson_scripts": {
            "ControlNet": {"args": [{"model": "canny [d14c016b]"}, {"model": "canny", "enabled": False}]}
        },
        "script_name": "SD upscale",
        "script_args": ["<lora:long b:1>", 64, 3],
    }
    assert json.dumps(content) == original


@pytest.mark.parametrize("name", ["{a$$b|c}", "__styles__"])
def test_a_name_that_an_extension_fills_in_later_cannot_be_missing(name: str) -> None:
    assert required_models({"prompt": f"<lora:{name}:1>"}) == [
        ModelRequirement(Kind.LORA, name, "/prompt", is_required=False)
    ]


@pytest.mark.parametrize(
    ("content", "folders"),
    [
        ({"gfpgan_visibility": 0.5, "image": "x"}, ["GFPGAN"]),
        ({"codeformer_visibility": 1, "image": "x"}, ["Codeformer"]),
        ({"gfpgan_visibility": 0, "image": "x"}, []),
        ({"restore_faces": True}, [""]),
        (
            {"restore_faces": True, "override_settings": {"face_restoration_model": "CodeFormer"}},
            ["Codeformer"],
        ),
        ({"restore_faces": "false"}, []),
    ],
)
def test_a_face_restorer_is_required_only_if_it_is_visible(
    content: dict[str, Any], folders: list[str]
) -> None:
    assert [need.name for need in required_models(content) if need.kind is Kind.FACE_RESTORER] == folders


def test_a_tag_that_web_ui_would_ignore_is_sent_in_a_form_that_it_reads() -> None:
    text = "a <LORA:s:1><lyco:x=1:s:0.5> <Hypernet:h> <LoRA:{a|b}:1>"
    assert [need.name for need in required_models({"prompt": text})] == ["s", "h", "a", "b"]
    renamed = rename_models({"prompt": text}, {(Kind.LORA, "s"): "style"})
    assert renamed == {"prompt": "a <lora:style:1><lora:x=1:style:0.5> <hypernet:h> <lora:{a|b}:1>"}


@pytest.mark.parametrize(
    ("tag", "wrong"),
    [
        ("<lora:s:abc>", True),
        ("<lora:s:>", True),
        ("<lora:s:0.8:lbw=IN02:stop=20>", False),
        ("<lora:s: 1 >", False),
        ("<lora:s:-.5:1>", False),
        ("<lora:s>", False),
        ("<lora:s:{0.5|1}>", False),
        ("<other:s:abc>", False),
    ],
)
def test_a_weight_that_is_no_number_is_refused(tag: str, wrong: bool) -> None:
    faults = list(invalid_weights({"prompt": f"<lora:a:1>{tag}"}))
    assert [fault.path for fault in faults] == ["/prompt"] * wrong


def test_the_weights_of_many_tags_are_read_in_linear_time() -> None:
    def seconds(count: int) -> float:
        begun = time.process_time()
        assert len(list(invalid_weights({"prompt": "<lora:a:x>" * count}))) == count
        return time.process_time() - begun

    assert min(seconds(20_000) for _ in range(3)) < max(min(seconds(1000) for _ in range(3)), 0.001) * 20 * 5
