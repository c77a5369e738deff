"""A fake internet on the loopback interface: public addresses lead to test servers, others fail the test."""

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

from tests.support.http_answers import RESPONDERS, Responder, answer, picture

PUBLIC = "93.184.216.34"
PUBLIC_IPV6 = "2606:2800:220:1::1"
REFUSING_IPV6 = "2606:2800:220:1::dead"
ROUTED_ADDRESSES = frozenset(
    {PUBLIC, PUBLIC_IPV6, "64:ff9b::5db8:d822", "::ffff:5db8:d822", "::ffff:93.184.216.34"}
)
HOSTS_WITH_CERTIFICATES = ("photos", "two", "three", "six", "rebind", "фото")
PLAIN_PORTS = frozenset({80, 8080})
TLS_PORTS = frozenset({443, 8443})


class ForbiddenConnection(Exception):
    """The guard, the code that fetches links, tried to connect to a forbidden target; nothing was sent."""


class Server(socketserver.ThreadingTCPServer):
    """A server with a responder, a redirect or an image for each path."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tls = tls
        self.redirects: dict[str, bytes] = {}
        self.requests: list[bytes] = []

    @property
    def port(self) -> int:
        """Return the port on 127.0.0.1."""
        return int(self.server_address[1])


class Handler(socketserver.BaseRequestHandler):
    """Reads one request and responds to it."""

    server: Server

    def handle(self) -> None:
        """Respond; clients may disconnect early, as many tests expect."""
        with suppress(OSError):
            if self.server.tls is None:
                self.respond(self.request)
            else:
                with self.server.tls.wrap_socket(self.request, server_side=True) as connection:
                    self.respond(connection)

    def respond(self, connection: socket.socket) -> None:
        """Read a request and send the response for its path."""
        request = b""
        while b"\r\n\r\n" not in request:
            received = connection.recv(65536)
            if not received:
                return
            if received.startswith(b"\x16"):  # a TLS handshake on the port for plain HTTP
                connection.sendall(answer(b"c4n4ry", status="400 c4n4ry"))
                return
            request += received
        self.server.requests.append(request)
        self.responder(request.split(b" ")[1].decode())(connection)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    def responder(self, path: str) -> Responder:
        """Return the responder for a path."""
        if path in self.server.redirects:
            head = b"HTTP/1.1 302 c4n4ry\r\nX-Secret: c4n4ry\r\nLocation: " + self.server.redirects[path]
            return lambda connection: connection.sendall(head + b"\r\nContent-Length: 6\r\n\r\nc4n4ry")
        name = path.partition("?")[0].removeprefix("/")
        return RESPONDERS.get(name, lambda connection: connection.sendall(answer(picture())))


class FakeInternet:
    """Servers and names; the guard gets `resolve` and `connect`."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        good = [f"{name}.example" for name in HOSTS_WITH_CERTIFICATES]
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
        """Begin a new case; `changes` are successive answers for a name; the last one is repeated."""
        self.answers = {name: [list(addresses)] for name, addresses in (names or {}).items()}
        self.answers |= {
            name: [list(addresses) for addresses in address_lists]
            for name, address_lists in (changes or {}).items()
        }
        self.lookup_counts: dict[str, int] = defaultdict(int)
        self.connected: list[str] = []
        self.names_asked_in_tls.clear()
        for server in (self.plain, self.tls):
            server.redirects = dict(redirects or {})
            server.requests.clear()

    @property
    def requests(self) -> list[bytes]:
        """Return all requests to both servers."""
        return self.plain.requests + self.tls.requests

    def _choose_certificate(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        self.names_asked_in_tls.append(name)
        if name in self._contexts:
            connection.context = self._contexts[name]

    def resolve(self, name: str, port: int) -> list[str]:
        """Resolve a name as the C library does: first spellings of IPv4, then names."""
        with suppress(OSError):
            return [socket.inet_ntoa(socket.inet_aton(name))]
        with suppress(OSError):
            return [socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, name))]
        default = [[PUBLIC]] if name.endswith(".example") else None
        answers = self.answers.get(name, default)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.lookup_counts[name] += 1
        return answers[min(self.lookup_counts[name], len(answers)) - 1]

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        """Connect to the server for a public address; fail the test for any other address."""
        if address == REFUSING_IPV6:
            raise ConnectionRefusedError
        if address not in ROUTED_ADDRESSES or port not in PLAIN_PORTS | TLS_PORTS:
            raise ForbiddenConnection(f"a connection to {address} port {port}")
        self.connected.append(address)
        server = self.plain if port in PLAIN_PORTS else self.tls
        return socket.create_connection(("127.0.0.1", server.port), timeout=seconds)


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


class ForbiddenS3:
    """S3 client that fails the test if an object is requested."""

    def get_object(self, **arguments: Any) -> Any:
        """Fail the test."""
        raise ForbiddenConnection(f"a call of S3 for {arguments}")


def forbidden_s3() -> Any:
    """Return an S3 client that fails the test if an object is requested."""
    return ForbiddenS3()


@contextmanager
def fake_internet() -> Iterator[FakeInternet]:
    """Run the servers until the block ends."""
    internet = FakeInternet()
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        for server in (internet.plain, internet.tls)
    ]
    for thread in threads:
        thread.start()
    try:
        yield internet
    finally:
        for server in (internet.plain, internet.tls):
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
