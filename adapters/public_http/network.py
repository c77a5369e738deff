"""Connect to a host: resolve its name once, check the addresses, and connect to one of these."""

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

import httpcore

from adapters.public_http.addresses import Address, is_public
from adapters.public_http.allowance import Allowance, Deadline
from adapters.public_http.errors import blocked, unavailable
from adapters.public_http.hosts import Host

MAX_ADDRESSES: Final = 4
"""Maximum number of addresses to try one after the other."""

Resolve = Callable[[str, int], Sequence[str]]
"""Resolves a name to addresses as text; raises OSError."""

Connect = Callable[[str, int, float], socket.socket]
"""Connects to an address (never a name) and port within a number of seconds; raises OSError."""


def system_resolve(name: str, port: int) -> list[str]:
    """Resolve a name with the machine's resolver."""
    entries = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in entries]


def tcp_connect(address: str, port: int, seconds: float) -> socket.socket:
    """Connect over TCP."""
    return socket.create_connection((address, port), timeout=seconds)


def resolve_host(
    host: Host, port: int, *, resolve: Resolve, allow_private: bool, seconds: float
) -> list[Address]:
    """Return the addresses of a host; refuse the host if any of them is not allowed.

    A private address beside a public one is refused too, because otherwise an attacker could choose which one
    is used.
    """
    addresses = (
        [host]
        if isinstance(host, IPv4Address | IPv6Address)
        else _resolve_with_timeout(host, port, resolve, seconds)
    )
    if not addresses:
        raise unavailable("its host has no address")
    if not allow_private and not all(is_public(address) for address in addresses):
        raise blocked("its host is not on the public internet")
    return addresses[:MAX_ADDRESSES]


def _resolve_with_timeout(name: str, port: int, resolve: Resolve, seconds: float) -> list[Address]:
    """Resolve a name in a separate thread, because the C library's resolver has no timeout."""
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def resolve_in_thread() -> None:
        try:
            answers.put(resolve(name, port))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            answers.put(error)

    threading.Thread(target=resolve_in_thread, name="resolve", daemon=True).start()
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
    """Connects to checked addresses, whatever name is requested, so that no name is resolved twice."""

    def __init__(
        self, addresses: Sequence[Address], *, connect: Connect, deadline: Deadline, allowance: Allowance
    ) -> None:
        self._addresses = addresses
        self._connect = connect
        self._deadline = deadline
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,  # the name was resolved before
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that responds; `timeout` applies to all of them together."""
        connect_deadline = Deadline(self._deadline.step_seconds(timeout))
        for index, address in enumerate(self._addresses):
            is_last = index == len(self._addresses) - 1
            try:
                # Time is left for the next address, in case one does not respond at all.
                seconds = connect_deadline.step_seconds() / (1 if is_last else 2)
                sock = self._connect(str(address), port, seconds)
                return BoundedStream(sock, self._deadline, self._allowance)
            except OSError:
                if is_last:
                    raise
        raise OSError


class BoundedStream(httpcore.NetworkStream):
    """A stream with one deadline for all reads and writes, however slowly the other side sends."""

    def __init__(self, sock: socket.socket, deadline: Deadline, allowance: Allowance) -> None:
        allowance.register_connection(sock)
        self._socket = sock
        self._deadline = deadline
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next bytes, or none at the end of the stream."""
        self._socket.settimeout(self._deadline.step_seconds(timeout))
        return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        self._socket.settimeout(self._deadline.step_seconds(timeout))
        self._socket.sendall(buffer)

    def close(self) -> None:
        """Close the socket."""
        self._allowance.unregister_connection(self._socket)
        with suppress(OSError):
            self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Start TLS; the certificate is checked against the name and not against the address."""
        stream: BoundedStream = self
        try:
            self._socket.settimeout(self._deadline.step_seconds(timeout))
            wrapped = ssl_context.wrap_socket(
                self._socket, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            self._allowance.unregister_connection(self._socket)  # the wrapped socket is registered instead
            stream = BoundedStream(wrapped, self._deadline, self._allowance)
            wrapped.do_handshake()
        except BaseException:
            stream.close()
            raise
        return stream

    def get_extra_info(self, info: str) -> Any:
        """Return None for everything that httpcore asks, because HTTP/2 and keep-alive are not used."""
        return None
