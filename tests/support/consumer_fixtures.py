"""Fixtures for tests that run a consumer: AWS resources and an engine, shared by the tests of a process."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.emulator import Emulator
from local.fakes.sdwebui.process import FakeWebUi
from local.fakes.sdwebui.process import running as fake_webui
from tests.support.cloud import Cloud, make_cloud

FAST: dict[str, Any] = {"step_seconds": 0.01, "load_seconds": 0.02, "extra_seconds": 0.01}


@pytest.fixture
def cloud(aws: Emulator) -> Cloud:
    """Create the resources of one runtime for this test."""
    return make_cloud(aws)


@pytest.fixture(scope="session")
def shared_webui() -> Iterator[FakeWebUi]:
    """Run a fake for all tests that do not break it."""
    with fake_webui(**FAST) as fake:
        yield fake


@pytest.fixture
def webui(shared_webui: FakeWebUi) -> Iterator[FakeWebUi]:
    """Return a fake without faults."""
    yield shared_webui
    shared_webui.control.clear()


@pytest.fixture
def task_id(request: pytest.FixtureRequest) -> str:
    """Return a unique id with the name of the test."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return name.strip("-")[:100]


def in_one_process(items: list[pytest.Item], group: str) -> None:
    """Send the tests that run a consumer to one process: they share emulator and fake."""
    for item in items:
        if {"cloud", "webui"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(group))
