"""Fixtures of the API's tests."""

import pytest

from local.emulator import Emulator
from tests.unit.api.client import Client
from tests.unit.api.deployment import Deployment, deploy


@pytest.fixture
def deployment(aws: Emulator) -> Deployment:
    """Return fresh AWS resources."""
    return deploy(aws)


@pytest.fixture
def api(deployment: Deployment) -> Client:
    """Return the API over them."""
    return Client(deployment)
