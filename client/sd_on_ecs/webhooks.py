"""Verify requests to webhooks, which a deployment signs as the Standard Webhooks specification says."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final

from sd_on_ecs.errors import InvalidWebhook

TOLERANCE_SECONDS: Final = 300
"""How far the clocks of sender and receiver may differ; an older request may be a replayed one."""

PREFIX: Final = "whsec_"


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str,
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> dict[str, Any]:
    """Return the event in a request to a webhook; raise `InvalidWebhook` if this secret has not signed it.

    `body` are the bytes as they were received, because parsed and written again they may differ.
    """
    given = {name.lower(): value for name, value in headers.items()}
    missing = [
        name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not given.get(name)
    ]
    if missing:
        raise InvalidWebhook(f"the request has no header {' or '.join(missing)}")
    timestamp = given["webhook-timestamp"]
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > tolerance_seconds:
        raise InvalidWebhook(f"its timestamp {timestamp[:40]!r} is not within {tolerance_seconds:g} seconds")
    raw = body.encode() if isinstance(body, str) else body
    signed = b".".join([given["webhook-id"].encode(), timestamp.encode(), raw])
    expected = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
    # While a secret is rotated, there is a signature by the old and one by the new.
    signatures = [
        signature
        for version, _, signature in (one.partition(",") for one in given["webhook-signature"].split())
        if version == "v1"
    ]
    if not any(hmac.compare_digest(expected.encode(), signature.encode()) for signature in signatures):
        raise InvalidWebhook("its signature is not by this secret")
    event: dict[str, Any] = json.loads(raw)
    return event


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise InvalidWebhook(f"the secret is not {PREFIX} and base64") from None
