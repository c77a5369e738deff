"""The way to a host: its name looked up once, its addresses checked, the connection made to one of these."""

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

import httpcore

from container.consumer.inputs.addresses import Address, is_public
from container.consumer.inputs.allowance import Allowance, Deadline
from container.consumer.inputs.errors import blocked, unavailable
from container.consumer.inputs.hosts import Host

MAX_ADDRESSES: Final = 4
"""Tried one after the other; more would only be waited for."""

Resolve = Callable[[str, int], Sequence[str]]
"""Look a name up: its addresses as text. Raises OSError."""

Connect = Callable[[str, int, float], socket.socket]
"""Connect to an address (never a name) and port within so many seconds. Raises OSError."""


def system_resolve(name: str, port: int) -> list[str]:
    """Ask the machine's resolver."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def tcp_connect(address: str, port: int, seconds: float) -> socket.socket:
    """Connect over TCP."""
    return socket.create_connection((address, port), timeout=seconds)


def look_up(host: Host, port: int, *, resolve: Resolve, allow_private: bool, seconds: float) -> list[Address]:
    """Return the addresses of a host, all of them allowed; one that is not refuses the host.

    A public name has no business with a private address beside a public one: choosing is left to no one.
    """
    addresses = (
        [host] if isinstance(host, IPv4Address | IPv6Address) else _addresses(host, port, resolve, seconds)
    )
    if not addresses:
        raise unavailable("its host has no address")
    if not allow_private and not all(is_public(address) for address in addresses):
        raise blocked("its host is not on the public internet")
    return addresses[:MAX_ADDRESSES]


def _addresses(name: str, port: int, resolve: Resolve, seconds: float) -> list[Address]:
    """Resolve in a thread of its own: the C library's resolver knows no deadline."""
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(name, port))
        except Exception as error:  # noqa: BLE001 - handed to the asker
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise unavailable("looking up its host took too long") from None
    if isinstance(answer, OSError | UnicodeError):
        raise unavailable("its host is not known")
    if isinstance(answer, Exception):
        raise answer
    return list(dict.fromkeys(ip_address(text) for text in answer))


class PinnedBackend(httpcore.NetworkBackend):
    """Connect to checked addresses, whatever name is asked for: nothing is resolved a second time."""

    def __init__(
        self, addresses: Sequence[Address], *, connect: Connect, deadline: Deadline, allowance: Allowance
    ) -> None:
        self._addresses = addresses
        self._connect = connect
        self._deadline = deadline
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the name, which was looked up before
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's interface
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - httpcore's interface
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers, within `timeout` for all of them."""
        attempts = Deadline(self._deadline.within(timeout))
        for index, address in enumerate(self._addresses):
            last = index == len(self._addresses) - 1
            try:
                # An address that swallows packets must leave time for the next one.
                seconds = attempts.within() / (1 if last else 2)
                sock = self._connect(str(address), port, seconds)
                return BoundedStream(sock, self._deadline, self._allowance)
            except OSError:
                if last:
                    raise
        raise OSError


class BoundedStream(httpcore.NetworkStream):
    """Read and write under one deadline, however slowly the other side drips, and until it is ended."""

    def __init__(self, sock: socket.socket, deadline: Deadline, allowance: Allowance) -> None:
        allowance.opened(sock)
        self._socket = sock
        self._deadline = deadline
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next bytes, none at the end of the stream."""
        self._socket.settimeout(self._deadline.within(timeout))
        return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        self._socket.settimeout(self._deadline.within(timeout))
        self._socket.sendall(buffer)

    def close(self) -> None:
        """Close the socket."""
        self._allowance.closed(self._socket)
        with suppress(OSError):
            self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Speak TLS from here on; the certificate is checked against the name, not the address."""
        stream: BoundedStream = self
        try:
            self._socket.settimeout(self._deadline.within(timeout))
            wrapped = ssl_context.wrap_socket(
                self._socket, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            self._allowance.closed(self._socket)  # it is the wrapped one's now
            stream = BoundedStream(wrapped, self._deadline, self._allowance)
            wrapped.do_handshake()
        except BaseException:
            stream.close()
            raise
        return stream

    def get_extra_info(self, info: str) -> Any:  # noqa: ARG002 - httpcore's interface
        """Return what httpcore asks for: nothing, HTTP/2 is not offered and connections are not kept."""
        return None
