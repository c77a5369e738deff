"""Fixtures of the security tests."""

from collections.abc import Iterator

import pytest

from tests.support.internet import FakeInternet, fake_internet


@pytest.fixture(scope="session")
def internet() -> Iterator[FakeInternet]:
    """Run the fake internet once; each case resets it."""
    with fake_internet() as running:
        yield running
