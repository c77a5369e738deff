"""Fixtures of the fault tests: those of the consumer, and a proxy in front of AWS."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator
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
