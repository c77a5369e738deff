"""HTTP basic authentication (`--api-auth`)."""

import base64
import binascii
from collections.abc import Callable

from fastapi import HTTPException, Request

ASK = {"WWW-Authenticate": "Basic"}


def basic_auth(credentials: str) -> Callable[[Request], None]:
    """Return a function that checks a request; `credentials` are comma-separated `user:password` pairs."""
    allowed = set(credentials.split(","))

    def check(request: Request) -> None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise HTTPException(401, "Not authenticated", headers=ASK)
        try:
            given = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if given not in allowed:
            raise HTTPException(401, "Incorrect username or password", headers=ASK)

    return check
