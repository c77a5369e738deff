"""Authenticate downloads with the credentials that the operator stored for a host; tasks bring none."""

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

UNREADABLE: Final = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidRequestException",
        "ResourceNotFoundException",
        "ValidationException",
    }
)
"""Errors that only the operator can mend; all others of Secrets Manager are temporary."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]+")
_ASK: Final = "the credentials for its host cannot be read; ask the operator of this service"

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
        self._secrets = {host.removesuffix(":443"): name for host, name in (secrets or {}).items()}
        self._clock = clock
        self._lock = threading.Lock()
        self._read: dict[str, tuple[float, Header]] = {}

    def header(self, link: HttpLink) -> Header | None:
        """Return the header for exactly this https host and port, None if it has none.

        Raise InputError if the secret cannot be used, and botocore's errors if Secrets Manager fails.
        """
        name = self._secrets.get(link.authority) if link.scheme == "https" else None
        if name is None or self._client is None:
            return None
        with self._lock:
            read_at, header = self._read.get(name, (None, None))
            if header is None or read_at is None or self._clock() - read_at > CACHE_SECONDS:
                header = self._fetch(self._client, name, link.authority)
                self._read[name] = (self._clock(), header)
            return header

    def _fetch(self, client: Secrets, name: str, host: str) -> Header:
        facts = {"host": host, "secret": name}
        try:
            text = client.get_secret_value(SecretId=name).get("SecretString")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code not in UNREADABLE:
                raise
            log.error("the credentials for a host cannot be read", extra=facts | {"code": code})  # noqa: TRY400 - the trace says no more
            raise _unusable() from None
        header = read_secret(text)
        if header is None:
            log.error("the secret for a host has no usable header", extra=facts)
            raise _unusable()
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
            found = json.loads(value)
        except ValueError:
            return None
        if isinstance(found.get("username"), str) and isinstance(found.get("password"), str):
            pair = f"{found['username']}:{found['password']}"
            value = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            name, value = str(found.get("header")), str(found.get("value", ""))
    if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        return None
    return name.encode(), value.encode()


def _unusable() -> InputError:
    return unavailable(_ASK)
