"""Both kinds of SD Web UI, for all cases of a test process."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator
from tests.contract.cases.place import Place, places


@pytest.fixture(scope="session")
def both(aws: Emulator) -> Iterator[dict[str, Place]]:
    with places(aws) as made:
        yield made


@pytest.fixture(params=["forge", "a1111"])
def place(request: pytest.FixtureRequest, both: dict[str, Place]) -> Place:
    found: Place = both[request.param]
    return found
