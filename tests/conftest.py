"""Fixtures for everybody: one emulator of AWS for each test process."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator, emulator


@pytest.fixture(scope="session")
def aws() -> Iterator[Emulator]:
    """Run the emulator; a test that needs names of its own makes them within it."""
    with emulator() as running:
        yield running
