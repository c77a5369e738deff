"""POST to a receiver of webhooks, through connections that reach public addresses only."""

import ssl
from dataclasses import dataclass
from typing import Final

import certifi
import httpcore

from adapters.public_http.allowance import Deadline, unlimited_allowance
from adapters.public_http.errors import InputError
from adapters.public_http.links import HttpLink, parse
from adapters.public_http.network import (
    Connect,
    PinnedBackend,
    Resolve,
    resolve_host,
    system_resolve,
    tcp_connect,
)
from domain.webhook import ATTEMPT_SECONDS, WebhookRules

CONNECT_SECONDS: Final = 5.0


class DeliveryFailed(Exception):
    """A request was not sent or got no response; the text says why, without any of the receiver's bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSender:
    """Sends requests; does not follow redirects, and reads only the status of responses."""

    rules: WebhookRules
    seconds: float = ATTEMPT_SECONDS
    resolve: Resolve = system_resolve
    connect: Connect = tcp_connect
    tls: ssl.SSLContext | None = None

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Return the HTTP status of the response; raise DeliveryFailed."""
        try:
            link = parse(url)
            if not isinstance(link, HttpLink) or (link.scheme != "https" and not self.rules.allow_http):
                raise DeliveryFailed("its scheme is not allowed")
            return self._post(link, body, headers)
        except InputError as error:
            raise DeliveryFailed(error.message) from None
        except ssl.SSLError:
            raise DeliveryFailed("its certificate is not valid for its host, or TLS failed") from None
        except (TimeoutError, httpcore.TimeoutException):
            raise DeliveryFailed(f"it did not answer within {self.seconds:g} s") from None
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, ValueError) as error:
            raise DeliveryFailed(f"the connection failed ({type(error).__name__})") from None

    def _post(self, link: HttpLink, body: bytes, headers: dict[str, str]) -> int:
        deadline = Deadline(self.seconds)
        addresses = resolve_host(
            link.host,
            link.port,
            resolve=self.resolve,
            allow_private=self.rules.allow_private,
            seconds=deadline.step_seconds(CONNECT_SECONDS),
        )
        scheme, host = link.scheme.encode(), str(link.host).encode()
        backend = PinnedBackend(
            addresses, connect=self.connect, deadline=deadline, allowance=unlimited_allowance()
        )
        connection = httpcore.HTTPConnection(
            httpcore.Origin(scheme, host, link.port),
            ssl_context=self.tls or ssl.create_default_context(cafile=certifi.where()),
            network_backend=backend,
        )
        request = httpcore.Request(
            "POST",
            httpcore.URL(scheme=scheme, host=host, port=link.port, target=link.target.encode()),
            headers=list(
                {
                    "Host": link.authority,
                    "User-Agent": "sd-on-ecs",
                    "Content-Type": "application/json",
                    "Content-Length": str(len(body)),
                    "Connection": "close",
                    **headers,
                }.items()
            ),
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS}},
        )
        with connection:
            return connection.handle_request(request).status
