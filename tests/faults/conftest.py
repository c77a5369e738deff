"""Fixtures of the fault tests: the consumer's, and a proxy before AWS."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator
from tests.consumer.conftest import cloud, pytest_collection_modifyitems, shared_webui, task_id, webui
from tests.e2e.fixtures import assembly
from tests.faults.proxy import Proxy
from tests.faults.proxy import proxy as running_proxy

__all__ = ["assembly", "cloud", "pytest_collection_modifyitems", "shared_webui", "task_id", "webui"]


@pytest.fixture
def proxy(aws: Emulator) -> Iterator[Proxy]:
    """Run a proxy before AWS that lets everything pass."""
    with running_proxy(aws.endpoint_url) as running:
        yield running
