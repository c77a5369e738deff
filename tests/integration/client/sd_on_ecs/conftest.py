"""Fixtures of the tests of the client: servers that fail."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.flaky_server import FlakyServer, run_flaky_server


@pytest.fixture
def flaky() -> Iterator[Callable[..., FlakyServer]]:
    """Return a function that starts a server with the given behaviour."""
    with ExitStack() as stack:

        def start(**behaviour: Any) -> FlakyServer:
            return stack.enter_context(run_flaky_server(FlakyServer(**behaviour)))

        yield start
