"""ControlNet units are converted to a form that both versions of ControlNet read, or the task is refused."""

from typing import Any

import pytest

from domain.routing import Runtime
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.task_type import TaskType

RUNTIME = Runtime("r", model_filename="m.safetensors")
UNIT = {"module": "canny", "model": "canny"}
COMPLETE_UNIT = UNIT | {"image": "aW1n"}


def normalized(content: dict[str, Any]) -> tuple[dict[str, Any], ContentCheck]:
    """Return a normalized content, and check that normalizing it again changes nothing."""
    check = ContentCheck(TaskType.TEXT_TO_IMAGE, RUNTIME, path="")
    normalized_content = check.normalize({"prompt": "a", **content})
    assert (
        ContentCheck(TaskType.TEXT_TO_IMAGE, RUNTIME, path="").normalize(normalized_content)
        == normalized_content
    )
    return normalized_content, check


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ({"image": "aW1n"}, {"enabled": True, "image": "aW1n"}),
        ({"image": "aW1n", "enabled": None}, {"enabled": True, "image": "aW1n"}),
        ({"input_image": "aW1n"}, {"enabled": True, "image": "aW1n"}),
        ({"image": "aW1n", "mask": "bWFzaw=="}, {"enabled": True, "image": "aW1n", "mask_image": "bWFzaw=="}),
        (
            {"image": {"image": "aW1n", "mask": "bWFzaw=="}},
            {"enabled": True, "image": "aW1n", "mask_image": "bWFzaw=="},
        ),
        ({"image": ["aW1n", "bWFzaw=="]}, {"enabled": True, "image": "aW1n", "mask_image": "bWFzaw=="}),
        (
            {"image": "aW1n", "mask": None, "guidance": 0.5},
            {"enabled": True, "image": "aW1n", "mask": None, "guidance_end": 0.5},
        ),
        (
            {"image": "aW1n", "enabled": "true", "lowvram": "false"},
            {"enabled": True, "image": "aW1n", "low_vram": False},
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("script", ["ControlNet", "controlnet", "CONTROLNET"])
def test_a_unit_is_converted_to_the_form_that_both_versions_read(
    unit: dict[str, Any], expected: dict[str, Any], script: str
) -> None:
    normalized_content, check = normalized({"alwayson_scripts": {script: {"args": [UNIT | unit]}}})
    assert check.faults == []
    assert normalized_content["alwayson_scripts"][script]["args"] == [UNIT | expected]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"control_mode": 2}, {"control_mode": "ControlNet is more important"}),
        ({"control_mode": "my prompt is more important"}, {"control_mode": "My prompt is more important"}),
        ({"resize_mode": 0}, {"resize_mode": "Just Resize"}),
        ({"resize_mode": "Scale to Fit (Inner Fit)"}, {"resize_mode": "Crop and Resize"}),
        ({"hr_option": "HiResFixOption.LOW_RES_ONLY"}, {"hr_option": "Low res only"}),
        ({"control_mode": None}, {}),
    ],
)
def test_choices_of_a_unit_are_sent_as_the_texts_that_both_versions_read(
    changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    normalized_content, check = normalized(
        {"alwayson_scripts": {"ControlNet": {"args": [COMPLETE_UNIT | changes]}}}
    )
    assert check.faults == []
    assert normalized_content["alwayson_scripts"]["ControlNet"]["args"] == [
        COMPLETE_UNIT | {"enabled": True} | expected
    ]


@pytest.mark.parametrize(
    "changes", [{"control_mode": "nope"}, {"control_mode": 3}, {"resize_mode": True}, {"hr_option": ["Both"]}]
)
def test_a_choice_that_no_version_has_is_refused(changes: dict[str, Any]) -> None:
    _, check = normalized({"alwayson_scripts": {"ControlNet": {"args": [COMPLETE_UNIT | changes]}}})
    assert [fault.path for fault in check.faults] == [
        f"/alwayson_scripts/ControlNet/args/0/{next(iter(changes))}"
    ]
    switched_off = COMPLETE_UNIT | changes | {"enabled": "false"}
    assert normalized({"alwayson_scripts": {"ControlNet": {"args": [switched_off]}}})[1].faults == []


def test_units_of_the_old_field_become_arguments_of_the_script() -> None:
    normalized_content, check = normalized({"controlnet_units": [COMPLETE_UNIT]})
    assert normalized_content["alwayson_scripts"]["ControlNet"]["args"] == [COMPLETE_UNIT | {"enabled": True}]
    assert "controlnet_units" not in normalized_content
    assert [warning.path for warning in check.warnings] == ["/controlnet_units"]
    content = {
        "controlnet_units": [COMPLETE_UNIT],
        "alwayson_scripts": {"controlnet": {"args": [COMPLETE_UNIT | {"model": "depth"}]}},
    }
    models = [unit["model"] for unit in normalized(content)[0]["alwayson_scripts"]["controlnet"]["args"]]
    assert models == ["depth", "canny"]


@pytest.mark.parametrize("args", [[True, "canny", "model"], [COMPLETE_UNIT, ["canny", "model"]], ["x"]])
def test_positional_arguments_are_refused(args: list[Any]) -> None:
    _, check = normalized({"alwayson_scripts": {"controlnet": {"args": args}}})
    wrong = [number for number, argument in enumerate(args) if not isinstance(argument, dict)]
    assert [fault.path for fault in check.faults] == [
        f"/alwayson_scripts/controlnet/args/{number}" for number in wrong
    ]
    assert all("positional" in fault.message for fault in check.faults)


def test_no_unit_is_silently_ignored() -> None:
    normalized_content, check = normalized(
        {"alwayson_scripts": {"controlnet": {"args": [None, COMPLETE_UNIT, None]}}}
    )
    assert (normalized_content["alwayson_scripts"]["controlnet"]["args"], check.faults) == (
        [COMPLETE_UNIT | {"enabled": True}],
        [],
    )
    _, check = normalized({"controlnet_units": "x"})
    assert [fault.path for fault in check.faults] == ["/controlnet_units"]
