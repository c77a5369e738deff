"""Fixtures of the tests of the client: servers that fail, and the command that calls them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_command import Command
from tests.support.flaky_server import FlakyServer, run_flaky_server


@pytest.fixture
def flaky() -> Iterator[Callable[..., FlakyServer]]:
    """Return a function that starts a server with the given behaviour."""
    with ExitStack() as stack:

        def start(**behaviour: Any) -> FlakyServer:
            return stack.enter_context(run_flaky_server(FlakyServer(**behaviour)))

        yield start


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return the command of a user who has no profiles."""
    folder = tmp_path / "here"
    folder.mkdir()
    return Command(folder, {"TMPDIR": str(tmp_path), "SD_ON_ECS_CONFIG": str(tmp_path / "profiles.json")})
