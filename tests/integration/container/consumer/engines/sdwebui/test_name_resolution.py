"""Names that SD Web UI would replace by its default are corrected, or the task fails with the nearest one."""

from typing import Any

import pytest

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.name_resolution import resolve_names
from domain.errors import ErrorCode, PermanentError
from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi
from runtimes.sdwebui.task_type import TaskType
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer

TEXT, IMAGE, EXTRA = TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE, TaskType.EXTRA_SINGLE_IMAGE


@pytest.fixture
def catalogue(webui: FakeWebUi) -> Catalogue:
    return Catalogue(WebUi(webui.url, inference_timeout_seconds=30))


@pytest.mark.parametrize(
    ("content", "expected", "path"),
    [
        ({"sampler_name": "euler a"}, {"sampler_name": "Euler a"}, "/sampler_name"),
        ({"sampler_name": "k_dpmpp_2m"}, {"sampler_name": "DPM++ 2M"}, "/sampler_name"),
        (
            {"sampler_index": "dpm++ 2m karras"},
            {"sampler_name": "DPM++ 2M", "scheduler": "Karras", "sampler_index": "dpm++ 2m karras"},
            "/sampler_index",
        ),
        ({"scheduler": "KARRAS"}, {"scheduler": "Karras"}, "/scheduler"),
        ({"scheduler": "SGMUniform"}, {"scheduler": "SGM Uniform"}, "/scheduler"),
        (
            {"enable_hr": True, "hr_upscaler": "latent"},
            {"enable_hr": True, "hr_upscaler": "Latent"},
            "/hr_upscaler",
        ),
    ],
)
def test_a_name_with_only_one_meaning_is_corrected_with_a_warning(
    catalogue: Catalogue, content: dict[str, Any], expected: dict[str, Any], path: str
) -> None:
    resolved, warnings = resolve_names(TEXT, content, catalogue)

    assert resolved == expected
    assert [warning.path for warning in warnings] == [path]
    assert warnings[0].message.startswith("taken as ")


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"args": []},
        {"args": [False, "x"]},
        {"args": ["False"]},
        {"args": [{"enabled": False, "model": "x"}]},
        {"args": [True, False, {"ad_model": "None"}, {"ad_model": "none"}]},
    ],
)
def test_a_missing_script_that_is_switched_off_is_left_out_with_a_warning(
    catalogue: Catalogue, entry: dict[str, Any]
) -> None:
    resolved, warnings = resolve_names(
        TEXT, {"alwayson_scripts": {"sd_vae": "x", "Comments": entry}}, catalogue
    )

    assert resolved == {"alwayson_scripts": {"sd_vae": "x"}}
    assert [warning.path for warning in warnings] == ["/alwayson_scripts/Comments"]


@pytest.mark.parametrize(
    "entry", [{"args": [True]}, {"args": ["x", False]}, {"args": [{"model": "x"}]}, {"args": 1}, None]
)
def test_a_missing_script_that_is_switched_on_fails_the_task(catalogue: Catalogue, entry: Any) -> None:
    with pytest.raises(PermanentError, match="no txt2img script 'Comments'"):
        resolve_names(TEXT, {"alwayson_scripts": {"Comments": entry}}, catalogue)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"sampler_index": "DPM++ 2M Karras"}, {"sampler_name": "DPM++ 2M", "scheduler": "Karras"}),
        (
            {"sampler_name": "Euler a SGM Uniform", "scheduler": "Karras"},
            {"sampler_name": "Euler a", "scheduler": "Karras"},
        ),
        (
            {"enable_hr": True, "hr_sampler_name": "DPM++ 2M Karras"},
            {"hr_sampler_name": "DPM++ 2M", "hr_scheduler": "Karras"},
        ),
    ],
)
def test_a_name_with_its_scheduler_is_sent_as_two(
    catalogue: Catalogue, content: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert resolve_names(TEXT, content, catalogue) == ({**content, **expected}, [])


@pytest.mark.parametrize(
    "content",
    [
        {"sampler_name": "Euler", "sampler_index": "no such sampler"},
        {"scheduler": "karras"},
        {"scheduler": "", "sampler_name": None},
        {"hr_sampler_name": "no such sampler", "hr_scheduler": "none such"},
        {"styles": []},
        {"script_name": "Prompt Matrix", "script_args": [False, False, "positive", "comma", 0]},
        {"alwayson_scripts": {"ControlNet": {"args": [{"module": "canny"}]}, "sd_model_checkpoint": "x"}},
        {"override_settings": {"emphasis": "None"}},
    ],
)
def test_a_name_that_sd_web_ui_understands_is_not_changed(
    catalogue: Catalogue, content: dict[str, Any]
) -> None:
    assert resolve_names(TEXT, content, catalogue) == (content, [])


@pytest.mark.parametrize(
    ("content", "tasktype", "expected"),
    [
        (
            {"sampler_name": "Eulr"},
            TEXT,
            "/sampler_name: this SD Web UI has no sampler 'Eulr'; the nearest is 'Euler'",
        ),
        ({"sampler_index": "No Such"}, TEXT, "/sampler_index: this SD Web UI has no sampler"),
        ({"enable_hr": True, "hr_sampler_name": "Eulr"}, TEXT, "/hr_sampler_name"),
        (
            {"scheduler": "Karas"},
            IMAGE,
            "/scheduler: this SD Web UI has no scheduler 'Karas'; the nearest is 'Karras'",
        ),
        ({"styles": ["no such style"]}, TEXT, "/styles/0: this SD Web UI has no style"),
        (
            {"script_name": "loopback", "script_args": [1, 1, "Linear", "None"]},
            TEXT,
            "no txt2img script 'loopback'",
        ),
        ({"script_name": "SD upscal"}, IMAGE, "the nearest is 'sd upscale'"),
        ({"alwayson_scripts": {"ADetailler": {"args": [True]}}}, TEXT, "/alwayson_scripts/ADetailler"),
        ({"script_name": "prompt matrix", "script_args": [False]}, TEXT, "takes 5 arguments, not 1"),
        ({"alwayson_scripts": {"controlnet": {"args": [{}] * 4}}}, TEXT, "takes 3 arguments, not 4"),
        (
            {"alwayson_scripts": {"controlnet": {"args": [{"module": "cany"}]}}},
            TEXT,
            "/controlnet/args/0/module: this SD Web UI has no preprocessor 'cany'; the nearest is 'canny'",
        ),
        ({"override_settings": {"no_such_setting": 1}}, TEXT, "/override_settings/no_such_setting"),
        ({"override_settings": {"face_restoration_model": "GFP"}}, TEXT, "the nearest is 'GFPGAN'"),
    ],
)
def test_a_name_that_sd_web_ui_does_not_know_fails_the_task_with_the_nearest(
    catalogue: Catalogue, content: dict[str, Any], tasktype: TaskType, expected: str
) -> None:
    with pytest.raises(PermanentError) as failed:
        resolve_names(tasktype, content, catalogue)

    assert failed.value.code is ErrorCode.INVALID_CONTENT
    assert expected in failed.value.message


def test_all_unknown_names_are_reported_at_once(catalogue: Catalogue) -> None:
    with pytest.raises(PermanentError, match=r"/sampler_name.*; /scheduler.*; /styles/0"):
        resolve_names(TEXT, {"sampler_name": "x", "scheduler": "y", "styles": ["z"]}, catalogue)


def test_an_unknown_setting_without_a_value_is_left_out(catalogue: Catalogue) -> None:
    content, warnings = resolve_names(TEXT, {"override_settings": {"no_such_setting": []}}, catalogue)

    assert content["override_settings"] == {}
    assert [warning.path for warning in warnings] == ["/override_settings/no_such_setting"]


@pytest.mark.parametrize(
    "content",
    [
        {"tiling": True},
        {"override_settings": {"tiling": True}},
        {"alwayson_scripts": {"override_settings": {"sd_vae_encode_method": "TAESD"}}},
    ],
)
def test_a_setting_that_forge_ignores_gets_a_warning(catalogue: Catalogue, content: dict[str, Any]) -> None:
    assert [
        "without effect" in warning.message for warning in resolve_names(TEXT, content, catalogue)[1]
    ] == [True]


class FakeWebUiLists:
    """Returns lists that a test can change."""

    def __init__(self, **lists: Any) -> None:
        self.lists = lists
        self.requested_paths: list[str] = []

    def get(self, path: str) -> Any:
        self.requested_paths.append(path)
        name = path.rsplit("/", 1)[1]
        if name in self.lists:
            return self.lists[name]
        raise PermanentError(ErrorCode.ENGINE_REJECTED, "404", response={"detail": "Not Found"})


def test_lists_are_requested_once_and_again_if_a_name_is_missing() -> None:
    webui = FakeWebUiLists(samplers=[{"name": "Euler", "aliases": []}])
    catalogue = Catalogue(webui)
    for _ in range(3):
        resolve_names(TEXT, {"sampler_name": "Euler"}, catalogue)
    assert webui.requested_paths.count("/sdapi/v1/samplers") == 1

    webui.lists["samplers"] = [{"name": "Euler", "aliases": []}, {"name": "New", "aliases": []}]
    resolve_names(TEXT, {"sampler_name": "New"}, catalogue)
    assert webui.requested_paths.count("/sdapi/v1/samplers") == 2


def test_names_are_not_checked_without_a_list() -> None:
    content = {"sampler_name": "x", "scheduler": "y", "styles": ["z"], "script_name": "s", "script_args": []}

    assert resolve_names(TEXT, content, Catalogue(FakeWebUiLists())) == (content, [])


@pytest.mark.parametrize("style", ["with lora", "With_LoRA"])
def test_a_style_with_networks_fails_if_networks_are_disabled(style: str) -> None:
    styles = [{"name": "with lora", "prompt": "<lora:x:1>", "negative_prompt": None}]
    content = {"styles": [style], "disable_extra_networks": True}

    with pytest.raises(PermanentError, match="names networks"):
        resolve_names(TEXT, content, Catalogue(FakeWebUiLists(**{"prompt-styles": styles})))
    assert resolve_names(
        TEXT, {"styles": ["with lora"]}, Catalogue(FakeWebUiLists(**{"prompt-styles": styles}))
    )


def test_a_corrected_name_is_used_and_reported_in_the_output_document(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id, sampler_name="euler a")
        assert cloud.outcome(task_id).status is Status.COMPLETED

    output_document = cloud.output_document(task_id)
    assert output_document["warnings"] == [{"path": "/sampler_name", "message": "taken as Euler a"}]
    assert "Sampler: Euler a," in output_document["images"][0]["infotext"]


def test_an_unknown_name_fails_before_it_uses_the_gpu(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    jobs_begun = webui.control.stats()["begun"]
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id, sampler_name="No Such Sampler")
        row = cloud.outcome(task_id)

    assert (row.status, row.item["error"]["code"]) == (Status.FAILED, ErrorCode.INVALID_CONTENT.value)
    assert webui.control.stats()["begun"] == jobs_begun
