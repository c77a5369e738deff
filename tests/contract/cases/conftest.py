"""Fixtures that run the cases on AUTOMATIC1111 and on Forge, the two kinds of SD Web UI."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator
from tests.contract.cases.place import Place, places


@pytest.fixture(scope="session")
def places_by_flavor(aws: Emulator) -> Iterator[dict[str, Place]]:
    """Run one place for each kind; starting them takes seconds, so all cases of a test process share them."""
    with places(aws) as running:
        yield running


@pytest.fixture(params=["forge", "a1111"])
def place(request: pytest.FixtureRequest, places_by_flavor: dict[str, Place]) -> Place:
    place_of_flavor: Place = places_by_flavor[request.param]
    return place_of_flavor
