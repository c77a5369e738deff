"""What `verify_webhook` accepts is what a deployment and the libraries of Standard Webhooks sign."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from functions.webhooks.signature import signature_header
from sd_on_ecs import InvalidWebhook, verify_webhook

SECRET = base64.b64encode(b"a secret of thirty-two characters").decode()
OTHER = base64.b64encode(b"another secret of the same length").decode()
BODY = json.dumps({"type": "task.completed", "data": {"id": "cat-1"}}).encode()


def signed(*secrets: str, seconds_ago: int = 0) -> dict[str, str]:
    """Return the headers that a deployment with these secrets sends."""
    timestamp = int(time.time()) - seconds_ago
    return {
        "Webhook-Id": "id",
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": signature_header(secrets, webhook_id="id", timestamp=timestamp, body=BODY),
    }


def test_a_request_that_the_deployment_signed_is_the_event() -> None:
    assert verify_webhook(signed(SECRET), BODY, f"whsec_{SECRET}")["data"] == {"id": "cat-1"}


def test_the_body_may_be_text() -> None:
    assert verify_webhook(signed(SECRET), BODY.decode(), SECRET)["type"] == "task.completed"


def test_a_request_that_the_library_of_standard_webhooks_signed_is_accepted() -> None:
    moment = datetime.now(UTC)
    headers = {
        "webhook-id": "id",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("id", moment, BODY.decode()),
    }
    assert verify_webhook(headers, BODY, SECRET)


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_both_secrets_of_a_rotation_verify(secret: str) -> None:
    assert verify_webhook(signed(SECRET, OTHER), BODY, secret)


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(InvalidWebhook, match="signature"):
        verify_webhook(signed(SECRET), BODY + b" ", SECRET)


def test_another_secret_is_refused() -> None:
    with pytest.raises(InvalidWebhook, match="signature"):
        verify_webhook(signed(SECRET), BODY, OTHER)


@pytest.mark.parametrize("seconds_ago", [301, -301])
def test_a_request_of_another_time_is_refused_because_it_may_be_replayed(seconds_ago: int) -> None:
    with pytest.raises(InvalidWebhook, match="300 seconds"):
        verify_webhook(signed(SECRET, seconds_ago=seconds_ago), BODY, SECRET)
    tolerance = timedelta(minutes=10).total_seconds()
    assert verify_webhook(signed(SECRET, seconds_ago=seconds_ago), BODY, SECRET, tolerance_seconds=tolerance)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_missing_header_is_named(name: str) -> None:
    headers = signed(SECRET)
    del headers[name]
    with pytest.raises(InvalidWebhook, match=name.lower()):
        verify_webhook(headers, BODY, SECRET)


@pytest.mark.parametrize("signature", ["v1,", "v1,é", "v1a,x", "v2,x", "x"])
def test_signatures_of_other_kinds_are_refused(signature: str) -> None:
    with pytest.raises(InvalidWebhook, match="signature"):
        verify_webhook(signed(SECRET) | {"Webhook-Signature": signature}, BODY, SECRET)


def test_a_signature_of_another_version_is_refused_even_if_it_would_be_right() -> None:
    headers = signed(SECRET)
    headers["Webhook-Signature"] = headers["Webhook-Signature"].replace("v1,", "v2,")
    with pytest.raises(InvalidWebhook, match="signature"):
        verify_webhook(headers, BODY, SECRET)


def test_a_secret_that_is_none_is_named() -> None:
    with pytest.raises(InvalidWebhook, match="whsec_"):
        verify_webhook(signed(SECRET), BODY, "whsec_not base64!")


@pytest.mark.parametrize("timestamp", ["9" * 400, "9" * 5000, "-1", "٣", "1e3", "12.5"])
def test_a_timestamp_that_is_no_unix_time_is_refused(timestamp: str) -> None:
    with pytest.raises(InvalidWebhook, match="300 seconds"):
        verify_webhook(signed(SECRET) | {"Webhook-Timestamp": timestamp}, BODY, SECRET)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Signature"])
def test_a_header_that_is_no_utf_8_is_refused(name: str) -> None:
    headers = signed(SECRET)
    with pytest.raises(InvalidWebhook, match="signature"):
        verify_webhook(headers | {name: f"{headers[name]}\udcff"}, BODY, SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", base64.b64encode(bytes(23)).decode()])
def test_an_empty_or_short_secret_is_refused_even_if_it_has_signed(secret: str) -> None:
    headers = signed(secret.removeprefix("whsec_"))
    with pytest.raises(InvalidWebhook, match="the secret has"):
        verify_webhook(headers, BODY, secret)
