"""Fixtures for all tests: one AWS emulator for each test process."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator, run_emulator


@pytest.fixture(scope="session")
def aws() -> Iterator[Emulator]:
    """Run the emulator; tests create their resources under names of their own."""
    with run_emulator() as running:
        yield running
