"""Signatures of the Standard Webhooks specification (version 1)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence


def signature_header(secrets: Sequence[str], *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`, with a signature by each secret, the current one first.

    Each secret is base64, without the prefix `whsec_` that users see.
    """
    signed_content = b".".join([webhook_id.encode(), str(timestamp).encode(), body])
    signatures = (hmac.digest(base64.b64decode(secret), signed_content, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures)
