"""Fixtures of the tests that call the API."""

import io
import logging
from collections.abc import Iterator

import pytest

from functions.log import logger
from local.emulator import Emulator
from tests.support.api_client import Client
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, deploy
from tests.support.failing_aws import FakeSns


@pytest.fixture
def deployment(aws: Emulator) -> Deployment:
    """Return fresh AWS resources."""
    return deploy(aws)


@pytest.fixture
def api(deployment: Deployment) -> Client:
    """Return the API over them."""
    return Client(deployment)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that only the test moves."""
    return FakeClock()


@pytest.fixture
def sns(deployment: Deployment) -> FakeSns:
    """Return an SNS whose publishes a test can let fail."""
    return FakeSns(deployment.sns)


@pytest.fixture(scope="session")
def shared_deployment(aws: Emulator) -> Deployment:
    """Return AWS resources that tests share which leave nothing behind."""
    return deploy(aws)


@pytest.fixture(scope="session")
def shared_api(shared_deployment: Deployment) -> Client:
    """Return the API over them."""
    return Client(shared_deployment)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Return what the functions log, as CloudWatch gets it: a JSON object a line."""
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    text = io.StringIO()
    before = handler.setStream(text)
    yield text
    handler.setStream(before)
