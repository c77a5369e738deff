"""A static runtime, which always uses the checkpoint in its settings, refuses tasks that need another one."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import ErrorCode
from domain.routing import Runtime, Runtimes
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.task_type import TaskType

WITHOUT_REFINER = Runtime(
    "r", model_filename="sdxl/base.safetensors", scripts=frozenset({"adetailer", "x/y/z plot"})
)
WITH_REFINER = replace(WITHOUT_REFINER, refiner_filename="refiner_1.0.safetensors")


def refused_pointers(runtime: Runtime, content: dict[str, Any]) -> list[str]:
    """Return the pointers at which a content names a checkpoint that the runtime does not serve."""
    check = ContentCheck(TaskType.TEXT_TO_IMAGE, runtime, path="")
    check.normalize({"prompt": "a", **content})
    assert {fault.code for fault in check.faults} <= {ErrorCode.UNKNOWN_MODEL}
    return [fault.path for fault in check.faults]


def detailer(**unit: Any) -> dict[str, Any]:
    """Return a content with one ADetailer unit."""
    return {"alwayson_scripts": {"ADetailer": {"args": [True, {"ad_model": "face.pt", **unit}]}}}


@pytest.mark.parametrize(
    "name",
    [
        "refiner_1.0.safetensors",
        "refiner_1.0",
        "refiner_1.0.safetensors [7440042bbd]",
        "refiner_1.0 [7440042b]",
    ],
)
@pytest.mark.parametrize("field", ["refiner_checkpoint", "hr_checkpoint_name"])
def test_only_the_runtime_that_names_a_refiner_serves_it(field: str, name: str) -> None:
    content = {"enable_hr": True, "hr_upscaler": "Latent", field: name}
    assert refused_pointers(WITH_REFINER, content) == []
    assert refused_pointers(WITHOUT_REFINER, content) == [f"/{field}"]


def test_a_refiner_cannot_be_the_main_checkpoint() -> None:
    content = {"alwayson_scripts": {"sd_model_checkpoint": "refiner_1.0.safetensors"}}
    assert refused_pointers(WITH_REFINER, content) == ["/alwayson_scripts/sd_model_checkpoint"]


@pytest.mark.parametrize(
    ("content", "paths"),
    [
        (
            detailer(ad_use_checkpoint=True, ad_checkpoint="x"),
            ["/alwayson_scripts/ADetailer/args/1/ad_checkpoint"],
        ),
        (detailer(ad_use_checkpoint=True, ad_checkpoint="refiner_1.0"), []),
        (detailer(ad_use_checkpoint=True, ad_checkpoint="Use same checkpoint"), []),
        (detailer(ad_use_checkpoint=False, ad_checkpoint="x"), []),
        (
            {"script_name": "X/Y/Z plot", "script_args": [1, "x.ckpt,refiner_1.0.safetensors"]},
            ["/script_args/1"],
        ),
        ({"hr_checkpoint_name": "x", "enable_hr": False}, []),
        ({"alwayson_scripts": {"sd_model_checkpoint": "sdxl\\base.safetensors [0123456789]"}}, []),
        ({"refiner_checkpoint": "sdxl/base"}, []),
    ],
)
def test_no_other_checkpoint_is_served_wherever_it_is_named(
    content: dict[str, Any], paths: list[str]
) -> None:
    assert refused_pointers(WITH_REFINER, content) == paths


def test_the_api_knows_a_runtimes_refiner() -> None:
    assert (
        Runtimes.from_json(json.dumps([WITH_REFINER.as_dict(), WITHOUT_REFINER.as_dict()])).named("r")
        == WITHOUT_REFINER
    )
    assert Runtimes.from_json(json.dumps([WITH_REFINER.as_dict()])).named("r") == WITH_REFINER
