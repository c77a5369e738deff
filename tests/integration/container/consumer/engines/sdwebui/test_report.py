"""What a worker reports of its SD Web UI, and that the API's warnings agree with the worker's checks."""

from typing import Any

import pytest

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.name_resolution import resolve_names
from container.consumer.engines.sdwebui.report import listed_names
from container.consumer.engines.sdwebui.styles import NO_STYLES
from domain.errors import PermanentError
from local.fakes.sdwebui.process import FakeWebUi
from runtimes.sdwebui.engine_lists import SHOWN_LISTS, unlisted_names
from runtimes.sdwebui.task_type import TaskType


@pytest.fixture
def client(webui: FakeWebUi) -> WebUi:
    return WebUi(webui.url, inference_timeout_seconds=30)


def test_every_list_of_sd_web_ui_is_reported(client: WebUi) -> None:
    found = listed_names(client, NO_STYLES)

    assert set(SHOWN_LISTS) <= found.names.keys()
    assert "Euler a" in found.names["samplers"]
    assert "Karras" in found.names["schedulers"]
    assert {"Latent", "Lanczos"} <= set(found.names["upscalers"])
    assert "controlnet" in found.names["scripts"]
    assert found.models["Stable-diffusion"]


@pytest.mark.parametrize(
    "content",
    [
        {"sampler_name": "euler a"},
        {"sampler_name": "k_dpmpp_2m"},
        {"sampler_name": "k_dpmpp_2m_ka"},
        {"sampler_name": "DPM++ 2M Karras"},
        {"sampler_name": "dpm++ 2m KARRAS"},
        {"sampler_name": "Eular"},
        {"sampler_name": "Euler Carrot"},
        {"sampler_name": "Use same sampler"},
        {"scheduler": "sgm_uniform"},
        {"scheduler": "SGMUniform"},
        {"scheduler": "karras_"},
        {"scheduler": "Karas"},
        {"enable_hr": True, "hr_sampler_name": "euler_a", "hr_scheduler": "beta"},
        {"enable_hr": True, "hr_sampler_name": "no", "hr_scheduler": "Karras"},
        {"script_name": "no such script"},
        {"alwayson_scripts": {"no such": {"args": [True]}}},
        {"alwayson_scripts": {"no such": {"args": [False]}}},
        {"styles": ["no such style"]},
    ],
)
def test_the_api_warns_of_exactly_the_names_that_the_worker_refuses(
    client: WebUi, content: dict[str, Any]
) -> None:
    warned = [fault.path for fault in unlisted_names(content, listed_names(client, NO_STYLES).names)]
    try:
        resolve_names(TaskType.TEXT_TO_IMAGE, content, Catalogue(client))
        refused = ""
    except PermanentError as error:
        refused = error.message

    assert bool(warned) == bool(refused)
    assert all(f"{path}: " in refused for path in warned)
