"""Fixtures of the end-to-end tests."""

import pytest

from tests.support.console import browser, page, running
from tests.support.pipeline import assembly, group_by_pipeline, pictures, pipeline, task_id

__all__ = ["assembly", "browser", "page", "pictures", "pipeline", "running", "task_id"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send tests that share the pipeline to one process."""
    group_by_pipeline(items)
