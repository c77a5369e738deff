"""JSON in its one canonical form: for digests and for the wire."""

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """Return compact, sorted, ASCII-only JSON: the same value gives the same text.

    ASCII keeps every character SQS would refuse (U+FFFE, lone surrogates) inside an escape.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def compact(value: Any) -> str:
    """Return compact ASCII-only JSON in the order of the keys as they came."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256(text: str) -> str:
    """Return the hex SHA-256 of an ASCII text."""
    return hashlib.sha256(text.encode()).hexdigest()
