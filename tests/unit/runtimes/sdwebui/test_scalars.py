"""Numbers and booleans are read as SD Web UI's request models read them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.routing import Runtime
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.scalars import Mismatch, read_value
from runtimes.sdwebui.task_type import TaskType

RUNTIME = Runtime("r", model_filename="m.safetensors")


def normalized(
    content: dict[str, Any], tasktype: TaskType = TaskType.TEXT_TO_IMAGE
) -> tuple[dict[str, Any], dict[str, str]]:
    check = ContentCheck(tasktype, RUNTIME, path="")
    result = check.normalize(content)
    return result, {fault.path: fault.message for fault in check.faults}


@pytest.mark.parametrize("value", [False, 0, 0.0, "false", "False", "0", "off", "no", "n", "f"])
def test_every_spelling_of_false_is_false(value: Any) -> None:
    content, faults = normalized(
        {"enable_hr": value, "hr_upscaler": "string", "hr_checkpoint_name": "string"}
    )

    assert content["enable_hr"] is False
    assert not faults


@pytest.mark.parametrize("value", [True, 1, 1.0, "true", "TRUE", "1", "on", "yes", "y", "t"])
def test_every_spelling_of_true_is_true(value: Any) -> None:
    content, faults = normalized({"enable_hr": value, "width": 2048, "height": 2048, "hr_scale": "5"})

    assert content["enable_hr"] is True
    assert faults.keys() == {"/hr_scale"}


@pytest.mark.parametrize("value", ["1.0", "", " true", "ja", 2, -1, 0.5, [], {}, None])
def test_a_value_that_only_one_server_reads_as_a_boolean_is_refused(value: Any) -> None:
    with pytest.raises(Mismatch, match="a boolean is expected"):
        read_value("boolean", value)


@pytest.mark.parametrize(
    ("value", "expected"), [("20", 20), (20.0, 20), (" 20 ", 20), ("+20", 20), (True, 1)]
)
def test_integers_are_read_from_texts_and_whole_floats(value: Any, expected: int) -> None:
    content, faults = normalized({"steps": value})

    assert (content["steps"], type(content["steps"])) == (expected, int)
    assert not faults


@pytest.mark.parametrize("value", ["20.0", 1.5, "1e3", "", "many", [], "1_000", "٢٠"])
def test_a_value_that_only_one_server_reads_as_an_integer_is_refused(value: Any) -> None:
    assert normalized({"steps": value})[1] == {"/steps": "an integer is expected"}


@pytest.mark.parametrize(
    ("value", "expected"), [("7.5", 7.5), (7, 7), ("7", 7.0), ("1e1", 10.0), (".5", 0.5)]
)
def test_numbers_are_read_from_texts(value: Any, expected: float) -> None:
    assert normalized({"cfg_scale": value})[0]["cfg_scale"] == expected


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "1e999", "NaN", float("nan"), 10**400])
@pytest.mark.parametrize("name", ["hr_scale", "s_tmax"])
def test_invalid_numbers_are_refused_with_their_pointers(value: Any, name: str) -> None:
    assert normalized({"enable_hr": True, name: value})[1] == {f"/{name}": "a finite number is expected"}


def test_null_is_dropped_where_sd_web_ui_accepts_it() -> None:
    content, faults = normalized({"s_tmax": None, "steps": None, "enable_hr": None, "script_args": None})

    assert not content.keys() & {"s_tmax", "steps", "enable_hr"}
    assert faults == {"/script_args": "an array is expected, not null"}


@pytest.mark.parametrize(
    ("settings_", "expected"),
    [
        ({"tiling": "false"}, {"tiling": False}),
        ({"CLIP_stop_at_last_layers": "2"}, {"CLIP_stop_at_last_layers": 2}),
        ({"token_merging_ratio": "0.5"}, {"token_merging_ratio": 0.5}),
        ({"randn_source": "cpu"}, {"randn_source": "CPU"}),
    ],
)
@pytest.mark.parametrize("routed", [False, True])
def test_settings_are_converted_to_their_types(
    settings_: dict[str, Any], expected: dict[str, Any], *, routed: bool
) -> None:
    """SD Web UI itself accepts any value for them."""
    body = {"override_settings": settings_}
    content, faults = normalized({"alwayson_scripts": body} if routed else body)

    assert (content["alwayson_scripts"] if routed else content)["override_settings"] == expected
    assert not faults


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tiling", "maybe"),
        ("emphasis", "Bold"),
        ("randn_source", "TPU"),
        ("forge_additional_modules", "vae"),
        ("CLIP_stop_at_last_layers", 13),
        ("token_merging_ratio", "2"),
        ("uni_pc_order", 0),
        ("eta_ddim", "nan"),
        ("tiling", None),
    ],
)
def test_settings_of_a_wrong_type_are_refused(name: str, value: Any) -> None:
    assert normalized({"override_settings": {name: value}})[1].keys() == {f"/override_settings/{name}"}


def test_arguments_of_controlnet_and_adetailer_are_converted_to_their_types() -> None:
    units = [{"enabled": "true", "weight": "0.5", "pixel_perfect": "off", "module": "canny", "lowvram": None}]
    units[0]["image"] = "x"
    detailer = ["true", False, {"ad_use_steps": "false", "ad_steps": "20"}]
    content, faults = normalized(
        {"alwayson_scripts": {"ControlNet": {"args": units}, "ADetailer": {"args": detailer}}}
    )

    scripts = content["alwayson_scripts"]
    assert scripts["ControlNet"]["args"] == [
        {"enabled": True, "weight": 0.5, "pixel_perfect": False, "module": "canny", "image": "x"}
    ]
    assert scripts["ADetailer"]["args"] == [True, False, {"ad_use_steps": False, "ad_steps": 20}]
    assert not faults
    assert units[0]["enabled"] == "true"  # the caller's own is left alone


def test_a_disabled_unit_is_not_checked() -> None:
    units = [{"enabled": "false", "module": "None"}, {"module": "canny", "image": "x"}]
    content, _ = normalized({"alwayson_scripts": {"controlnet": {"args": units}}})

    unit = {"module": "canny", "image": "x", "enabled": True}
    assert content["alwayson_scripts"]["controlnet"]["args"] == [unit]


@pytest.mark.parametrize(
    ("script", "argument", "path"),
    [
        ("controlnet", {"enabled": "perhaps", "image": "x"}, "/0/enabled"),
        ("ControlNet", {"weight": "nan", "image": "x"}, "/0/weight"),
        ("ADetailer", {"ad_steps": "1.5"}, "/0/ad_steps"),
        ("ADetailer", "perhaps", "/0"),
    ],
)
def test_arguments_that_cannot_be_read_are_refused(script: str, argument: Any, path: str) -> None:
    faults = normalized({"alwayson_scripts": {script: {"args": [argument]}}})[1]

    assert faults.keys() == {f"/alwayson_scripts/{script}/args{path}"}


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    kind=st.sampled_from(["integer", "number", "boolean", "integer?", "number?", "boolean?"]),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.lists(st.none()),
)
def test_converting_twice_changes_nothing(kind: str, value: Any) -> None:
    try:
        first = read_value(kind, value)
    except Mismatch:
        return
    assert read_value(kind, first) == first
    assert type(read_value(kind, first)) is type(first)
