"""Verify requests to webhooks, which a deployment signs as the Standard Webhooks specification says."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from sd_on_ecs.errors import InvalidWebhook

TOLERANCE_SECONDS: Final = 300
"""How far the clocks of sender and receiver may differ; an older request may be a replayed one."""

PREFIX: Final = "whsec_"
MIN_KEY_BYTES: Final = 24
"""What the specification demands; with an empty secret, anyone could sign."""


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
    key = _key(secret)
    given = {name.lower(): value for name, value in headers.items()}
    missing = [
        name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not given.get(name)
    ]
    if missing:
        raise InvalidWebhook(f"the request has no header {' or '.join(missing)}")
    timestamp = given["webhook-timestamp"]
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > tolerance_seconds:
        raise InvalidWebhook(f"its timestamp {timestamp[:40]!r} is not within {tolerance_seconds:g} seconds")
    raw = body.encode() if isinstance(body, str) else body
    signed = b".".join([_bytes(given["webhook-id"]), timestamp.encode(), raw])
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    # While a secret is rotated, there is a signature by the old and one by the new.
    signatures = [
        signature
        for version, _, signature in (one.partition(",") for one in given["webhook-signature"].split())
        if version == "v1"
    ]
    if not any(hmac.compare_digest(expected.encode(), _bytes(signature)) for signature in signatures):
        raise InvalidWebhook("its signature is not by this secret")
    event: dict[str, Any] = json.loads(raw)
    return event


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise InvalidWebhook(f"the secret is not {PREFIX} and base64") from None
    if len(key) < MIN_KEY_BYTES:
        raise InvalidWebhook(f"the secret has {len(key)} bytes; one of a deployment has {MIN_KEY_BYTES}")
    return key


def _bytes(text: str) -> bytes:
    # Some frameworks read bytes that are no UTF-8 in a header as surrogates, which cannot be encoded else.
    return text.encode(errors="surrogatepass")
