"""Authenticate downloads with credentials that the operator stored for a host; tasks cannot contain any."""

import base64
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError

from adapters.public_http.errors import InputError, unavailable
from adapters.public_http.links import HttpLink

CACHE_SECONDS: Final = 300.0
"""How long a secret is used before it is read again: a rotated one is in use within five minutes."""

OPERATOR_ERRORS: Final = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidRequestException",
        "ResourceNotFoundException",
        "ValidationException",
    }
)
"""Errors that only the operator can correct; all others of Secrets Manager are temporary."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]+")
_UNREADABLE_TEXT: Final = "the credentials for its host cannot be read; ask the operator of this service"

log = logging.getLogger(__name__)

Header = tuple[bytes, bytes]


class Secrets(Protocol):
    """A client of Secrets Manager."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """Return the secret's current value."""


class HostCredentials:
    """Finds the header for a server; can be used from several threads.

    `secrets` names a secret for each host, written as in a Host header. Values are never logged.
    """

    def __init__(
        self,
        client: Secrets | None = None,
        secrets: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._secret_names = {host.removesuffix(":443"): name for host, name in (secrets or {}).items()}
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[str, tuple[float, Header]] = {}

    def header(self, link: HttpLink) -> Header | None:
        """Return the header for exactly this https host and port, None if it has none.

        Raise InputError if the secret cannot be used, and botocore's errors if Secrets Manager fails.
        """
        name = self._secret_names.get(link.authority) if link.scheme == "https" else None
        if name is None or self._client is None:
            return None
        with self._lock:
            read_at, header = self._cache.get(name, (None, None))
            if header is None or read_at is None or self._clock() - read_at > CACHE_SECONDS:
                header = self._read_header(self._client, name, link.authority)
                self._cache[name] = (self._clock(), header)
            return header

    def _read_header(self, client: Secrets, name: str, host: str) -> Header:
        fields = {"host": host, "secret": name}
        try:
            text = client.get_secret_value(SecretId=name).get("SecretString")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code not in OPERATOR_ERRORS:
                raise
            log.error("the credentials for a host cannot be read", extra=fields | {"code": code})  # noqa: TRY400 - the trace says no more
            raise _unreadable() from None
        header = read_secret(text)
        if header is None:
            log.error("the secret for a host has no usable header", extra=fields)
            raise _unreadable()
        return header


def read_secret(text: Any) -> Header | None:
    """Return the header in a secret, None if it has another form.

    A plain text is the value of `Authorization`. A JSON object has `header` and `value`, or `username` and
    `password` for HTTP basic authentication.
    """
    if not isinstance(text, str):
        return None
    name, value = "Authorization", text.strip()
    if value.startswith("{"):
        try:
            secret = json.loads(value)
        except ValueError:
            return None
        if isinstance(secret.get("username"), str) and isinstance(secret.get("password"), str):
            user_and_password = f"{secret['username']}:{secret['password']}"
            value = f"Basic {base64.b64encode(user_and_password.encode()).decode()}"
        else:
            name, value = str(secret.get("header")), str(secret.get("value", ""))
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        return None
    return name.encode(), value.encode()


def _unreadable() -> InputError:
    return unavailable(_UNREADABLE_TEXT)
