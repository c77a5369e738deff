"""One fake ComfyUI for the tests that change nothing in it, and a client of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.fakes.comfyui.process import FakeComfyUi, running
from tests.support.comfyui import Client

QUICK: dict[str, Any] = {"step_seconds": 0.0, "load_seconds": 0.0}


@pytest.fixture
def comfyui() -> Iterator[FakeComfyUi]:
    with running(**QUICK) as fake:
        yield fake


@pytest.fixture
def client(comfyui: FakeComfyUi) -> Client:
    return Client(comfyui.url)
