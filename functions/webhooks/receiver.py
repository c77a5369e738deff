"""POST to a receiver of webhooks, through connections that reach public addresses only."""

import ssl
from dataclasses import dataclass, field
from typing import Final

import httpcore

from adapters.public_http.allowance import Deadline, unlimited_allowance
from adapters.public_http.connection import Requests, public_tls
from adapters.public_http.errors import InputError
from adapters.public_http.links import HttpLink, parse
from adapters.public_http.network import Connect, Resolve, system_resolve, tcp_connect
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
    tls: ssl.SSLContext = field(default_factory=public_tls)

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
        sent = {
            "User-Agent": "sd-on-ecs",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }
        requests = Requests(
            allow_private=self.rules.allow_private,
            connect_seconds=CONNECT_SECONDS,
            resolve=self.resolve,
            connect=self.connect,
            tls=self.tls,
        )
        with requests.send(
            "POST",
            link,
            [(name.encode(), value.encode()) for name, value in sent.items()],
            deadline=Deadline(self.seconds),
            allowance=unlimited_allowance(),
            content=body,
        ) as response:
            return response.status
