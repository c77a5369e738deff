"""Send a request to a server that a caller names, if all of its addresses are allowed."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import certifi
import httpcore

from adapters.public_http.allowance import Allowance, Deadline
from adapters.public_http.links import HttpLink
from adapters.public_http.network import Connect, PinnedBackend, Resolve, resolve_host

Headers = list[tuple[bytes, bytes]]


def public_tls() -> ssl.SSLContext:
    """Return the TLS configuration: the public authorities, whatever the environment says."""
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Sends requests, each over a connection of its own; can be used from several threads."""

    allow_private: bool
    connect_seconds: float
    resolve: Resolve
    connect: Connect
    tls: ssl.SSLContext

    @contextmanager
    def send(
        self,
        method: str,
        link: HttpLink,
        headers: Headers,
        *,
        deadline: Deadline,
        allowance: Allowance,
        content: bytes | None = None,
    ) -> Iterator[httpcore.Response]:
        """Yield the response; its body can be read until the end of the block.

        Raise InputError, OSError, ssl.SSLError, ValueError, or an exception of httpcore.
        """
        addresses = resolve_host(
            link.host,
            link.port,
            resolve=self.resolve,
            allow_private=self.allow_private,
            seconds=deadline.step_seconds(self.connect_seconds),
        )
        scheme, host = link.scheme.encode(), str(link.host).encode()
        connection = httpcore.HTTPConnection(
            httpcore.Origin(scheme, host, link.port),
            ssl_context=self.tls,
            network_backend=PinnedBackend(
                addresses, connect=self.connect, deadline=deadline, allowance=allowance
            ),
        )
        request = httpcore.Request(
            method,
            httpcore.URL(scheme=scheme, host=host, port=link.port, target=link.target.encode()),
            headers=[(b"Host", link.authority.encode()), *headers],
            content=content,
            extensions={"timeout": {"connect": self.connect_seconds}},
        )
        with connection:
            yield connection.handle_request(request)
