"""Canonical JSON for digests, and compact JSON for messages."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Return compact, sorted, ASCII-only JSON: equal values give equal text.

    ASCII output escapes every character that SQS would refuse (U+FFFE, lone surrogates).
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def compact_json(value: Any) -> str:
    """Return compact ASCII-only JSON that keeps the order of keys."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256(text: str) -> str:
    """Return the SHA-256 of an ASCII text in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
