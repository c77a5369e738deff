"""What the security tests share."""

from collections.abc import Iterator

import pytest

from tests.support.internet import World, world


@pytest.fixture(scope="session")
def internet() -> Iterator[World]:
    """Run the test's own internet once; each case resets it."""
    with world() as made:
        yield made
