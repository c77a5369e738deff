"""Fixtures of the consumer's integration tests."""

import pytest

from tests.support.consumer_fixtures import cloud, in_one_process, shared_webui, task_id, webui
from tests.support.models import classic, model_setup

__all__ = ["classic", "cloud", "model_setup", "shared_webui", "task_id", "webui"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send the tests that run a consumer to one process."""
    in_one_process([item for item in items if "consumer" in item.path.parts], "consumer")
