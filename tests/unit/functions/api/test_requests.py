"""Errors of a request before its body is parsed."""

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from domain.errors import InvalidTask
from functions.api.requests import raw_body


def test_a_body_that_is_not_base64_although_its_event_says_so_is_not_reported_as_invalid_json() -> None:
    event = APIGatewayProxyEvent({"body": "not base64!", "isBase64Encoded": True})
    with pytest.raises(InvalidTask) as refusal:
        raw_body(event)
    assert refusal.value.status == 400
    assert "JSON" not in refusal.value.message
    assert "base64" in refusal.value.faults[0].message
