"""Fixtures of the fault tests: those of the consumer, and a proxy in front of AWS."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from local.emulator import Emulator
from local.fakes.sdwebui.process import FakeWebUi
from tests.faults.scenes import ComfyUiScene, OpenScene, Scene, SdWebUiScene
from tests.support.consumer_fixtures import cloud, in_one_process, shared_webui, task_id, webui
from tests.support.pipeline import assembly
from tests.support.proxy import Proxy, running_proxy

__all__ = ["assembly", "cloud", "shared_webui", "task_id", "webui"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send the tests that run a consumer to one process."""
    in_one_process([item for item in items if "faults" in item.path.parts], "faults")


@pytest.fixture
def proxy(aws: Emulator) -> Iterator[Proxy]:
    """Run a proxy in front of AWS that forwards all calls."""
    with running_proxy(aws.endpoint_url) as running:
        yield running


@pytest.fixture
def open_scene(aws: Emulator, webui: FakeWebUi, tmp_path: Path) -> OpenScene:
    """Return a function that opens a scene of a runtime type until the block ends."""

    @contextmanager
    def open_(runtime_type: str, stage: str) -> Iterator[Scene]:
        with ExitStack() as stack:
            if runtime_type == "comfyui":
                yield ComfyUiScene(aws, tmp_path / stage.replace(" ", "-"), stack)
            else:
                yield SdWebUiScene(aws, webui)

    return open_
