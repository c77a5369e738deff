"""The internet on one loopback interface: public addresses are servers of the test, all else fails it."""

import socket
import socketserver
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import trustme

from tests.support.http_answers import STORIES, Story, answer, picture

PUBLIC = "93.184.216.34"
PUBLIC_IPV6 = "2606:2800:220:1::1"
DEAD = "2606:2800:220:1::dead"
SERVED = frozenset({PUBLIC, PUBLIC_IPV6, "64:ff9b::5db8:d822", "::ffff:5db8:d822", "::ffff:93.184.216.34"})
CERTIFIED = ("photos", "two", "three", "six", "rebind", "фото")
PLAIN_PORTS = frozenset({80, 8080})
TLS_PORTS = frozenset({443, 8443})


class Escaped(Exception):
    """Say that the guard would have sent a packet to where it must not; none was sent."""


class Server(socketserver.ThreadingTCPServer):
    """Tell, for each path, a story, a redirect or an image."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.tls = tls
        self.redirects: dict[str, bytes] = {}
        self.requests: list[bytes] = []

    @property
    def port(self) -> int:
        """Return the port on 127.0.0.1."""
        return int(self.server_address[1])


class Conversation(socketserver.BaseRequestHandler):
    """Read one request and answer it."""

    server: Server

    def handle(self) -> None:
        """Answer; a client that hangs up early is what many tests are about."""
        with suppress(OSError):
            if self.server.tls is None:
                self.talk(self.request)
            else:
                with self.server.tls.wrap_socket(self.request, server_side=True) as connection:
                    self.talk(connection)

    def talk(self, connection: socket.socket) -> None:
        """Read a request up to its end and tell what belongs to its path."""
        request = b""
        while b"\r\n\r\n" not in request:
            received = connection.recv(65536)
            if not received:
                return
            if received.startswith(b"\x16"):  # TLS, where none is spoken
                connection.sendall(answer(b"c4n4ry", status="400 c4n4ry"))
                return
            request += received
        self.server.requests.append(request)
        self.story(request.split(b" ")[1].decode())(connection)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    def story(self, path: str) -> Story:
        """Return what belongs to a path."""
        if path in self.server.redirects:
            head = b"HTTP/1.1 302 c4n4ry\r\nX-Secret: c4n4ry\r\nLocation: " + self.server.redirects[path]
            return lambda connection: connection.sendall(head + b"\r\nContent-Length: 6\r\n\r\nc4n4ry")
        name = path.partition("?")[0].removeprefix("/")
        return STORIES.get(name, lambda connection: connection.sendall(answer(picture())))


class World:
    """Hold the servers and the names; `resolve` and `connect` are what a guard gets of them."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        good = [f"{name}.example" for name in CERTIFIED]
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self.names_asked_in_tls: list[str | None] = []
        self._contexts = {
            None: _context(self.authority.issue_cert(PUBLIC_IPV6)),
            "wrong-name.example": _context(self.authority.issue_cert("photos.example")),
            "expired.example": _context(self.authority.issue_cert("expired.example", not_after=yesterday)),
            "unknown-authority.example": _context(trustme.CA().issue_cert("unknown-authority.example")),
        }
        context = _context(self.authority.issue_cert(*good))
        context.sni_callback = self._choose_certificate
        self.plain = Server()
        self.tls = Server(context)
        self.trust = ssl.create_default_context()
        self.authority.configure_trust(self.trust)
        self.reset()

    def reset(
        self,
        names: Mapping[str, Sequence[str]] | None = None,
        changes: Mapping[str, Sequence[Sequence[str]]] | None = None,
        redirects: Mapping[str, bytes] | None = None,
    ) -> None:
        """Begin a new case; `changes` are a name's answers one after the other, the last one for ever."""
        self.answers = {name: [list(found)] for name, found in (names or {}).items()}
        self.answers |= {name: [list(found) for found in each] for name, each in (changes or {}).items()}
        self.asked: dict[str, int] = defaultdict(int)
        self.connected: list[str] = []
        self.names_asked_in_tls.clear()
        for server in (self.plain, self.tls):
            server.redirects = dict(redirects or {})
            server.requests.clear()

    @property
    def requests(self) -> list[bytes]:
        """Return what was asked of both servers."""
        return self.plain.requests + self.tls.requests

    def _choose_certificate(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        self.names_asked_in_tls.append(name)
        if name in self._contexts:
            connection.context = self._contexts[name]

    def resolve(self, name: str, port: int) -> list[str]:
        """Answer as the C library does: spellings of IPv4 first, then names."""
        with suppress(OSError):
            return [socket.inet_ntoa(socket.inet_aton(name))]
        with suppress(OSError):
            return [socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, name))]
        default = [[PUBLIC]] if name.endswith(".example") else None
        answers = self.answers.get(name, default)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.asked[name] += 1
        return answers[min(self.asked[name], len(answers)) - 1]

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        """Connect to the server that stands for a public address; fail the test for any other."""
        if address == DEAD:
            raise ConnectionRefusedError
        if address not in SERVED or port not in PLAIN_PORTS | TLS_PORTS:
            raise Escaped(f"a connection to {address} port {port}")
        self.connected.append(address)
        server = self.plain if port in PLAIN_PORTS else self.tls
        return socket.create_connection(("127.0.0.1", server.port), timeout=seconds)


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


class NoS3:
    """Fail the test when an object is asked for."""

    def get_object(self, **arguments: Any) -> Any:
        """Raise."""
        raise Escaped(f"a call of S3 for {arguments}")


def no_s3() -> Any:
    """Return a client of S3 that fails the test when an object is asked for."""
    return NoS3()


@contextmanager
def world() -> Iterator[World]:
    """Run the servers for the time of a `with` block."""
    made = World()
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        for server in (made.plain, made.tls)
    ]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        for server in (made.plain, made.tls):
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
