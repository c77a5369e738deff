"""HTTP basic authentication (`--api-auth`)."""

import base64
import binascii
from collections.abc import Callable

from fastapi import HTTPException, Request

CHALLENGE = {"WWW-Authenticate": "Basic"}


def basic_auth(credentials: str) -> Callable[[Request], None]:
    """Return a function that checks a request; `credentials` are comma-separated `user:password` pairs."""
    allowed_credentials = set(credentials.split(","))

    def check(request: Request) -> None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise HTTPException(401, "Not authenticated", headers=CHALLENGE)
        try:
            sent_credentials = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            sent_credentials = ""
        if sent_credentials not in allowed_credentials:
            raise HTTPException(401, "Incorrect username or password", headers=CHALLENGE)

    return check
