"""Values that mean "none" in SD Web UI are treated as if the field was absent, in upper and lower case."""

from typing import Any

import pytest

from domain.routing import Runtime
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.named_models import model_mentions
from runtimes.sdwebui.task_type import TaskType

LINK = "https://example.com/a.png"
TEXT, EXTRA = TaskType.TEXT_TO_IMAGE, TaskType.EXTRA_SINGLE_IMAGE


def normalized(content: dict[str, Any], tasktype: TaskType = TEXT) -> dict[str, Any]:
    runtime = Runtime("static", model_filename="m.safetensors")
    base: dict[str, Any] = {"prompt": "a"} if tasktype is TEXT else {"image": LINK, "gfpgan_visibility": 1}
    check = ContentCheck(tasktype, runtime, path="")
    result = check.normalize(base | content)
    assert check.faults == []
    return {name: value for name, value in result.items() if name not in base}


@pytest.mark.parametrize("word", ["None", "none", "NONE", " none ", ""])
@pytest.mark.parametrize(
    "field",
    [
        "script_name",
        "sampler_name",
        "sampler_index",
        "scheduler",
        "hr_sampler_name",
        "hr_scheduler",
        "refiner_checkpoint",
        "hr_checkpoint_name",
    ],
)
def test_a_field_that_says_none_is_removed(field: str, word: str) -> None:
    assert normalized({"enable_hr": True, field: word, "script_args": []}).keys() <= {
        "enable_hr",
        "script_args",
        "alwayson_scripts",
    }


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("hr_sampler_name", "use same SAMPLER"),
        ("hr_scheduler", "Use Same Scheduler"),
        ("hr_checkpoint_name", "use same checkpoint"),
    ],
)
def test_the_word_for_the_same_again_is_removed(field: str, word: str) -> None:
    assert field not in normalized({"enable_hr": True, field: word})


@pytest.mark.parametrize("word", ["none", "NONE"])
def test_no_upscaler_is_spelled_as_sd_web_ui_lists_it(word: str) -> None:
    assert normalized({"upscaler_1": word, "upscaler_2": word}, EXTRA) == {
        "upscaler_1": "None",
        "upscaler_2": "None",
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"sd_vae": "automatic"}, {"sd_vae": "Automatic"}),
        ({"sd_vae": "none"}, {"sd_vae": "None"}),
        ({"upscaler_for_img2img": "none"}, {"upscaler_for_img2img": "None"}),
        ({"face_restoration_model": "none"}, {}),
        ({"sd_model_checkpoint": "none"}, {}),
        ({"sd_model_checkpoint": None}, {}),
        ({"forge_additional_modules": ["none", "Built In", "a"]}, {"forge_additional_modules": ["a"]}),
        ({"forge_additional_modules": "None"}, {}),
    ],
)
def test_a_setting_that_says_none_is_removed_or_spelled(
    settings: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert normalized({"override_settings": settings})["override_settings"] == expected
    scripts = normalized({"alwayson_scripts": {"override_settings": settings}})["alwayson_scripts"]
    assert scripts["override_settings"] == expected


def test_styles_and_models_of_scripts_that_say_none_name_nothing() -> None:
    detailer = {"ad_model": "x.pt", "ad_use_checkpoint": True, "ad_checkpoint": "none", "ad_use_vae": True}
    detailer |= {"ad_vae": "use same vae", "ad_controlnet_model": "none"}
    content = normalized(
        {
            "styles": ["none", "None"],
            "alwayson_scripts": {
                "sd_model_checkpoint": "none",
                "sd_vae": "none",
                "ControlNet": {"args": [{"model": "none", "module": "NONE", "image": LINK}]},
                "ADetailer": {"args": [True, detailer, {"ad_model": "none"}]},
            },
        }
    )

    assert content["styles"] == []
    assert [mention.name for mention in model_mentions(content)] == ["x.pt"]
    assert content["alwayson_scripts"]["ControlNet"]["args"][0]["module"] == "None"


def test_the_callers_own_content_is_not_changed() -> None:
    detailer = {"ad_model": "none"}
    settings = {"sd_vae": "none"}
    scripts = {"override_settings": settings, "ADetailer": {"args": [detailer]}}

    normalized({"alwayson_scripts": scripts})

    assert (detailer, settings) == ({"ad_model": "none"}, {"sd_vae": "none"})
