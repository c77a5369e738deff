"""An HTTP server that loses connections and fails, for tests of clients."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FlakyServer:
    """How a server behaves, and the requests that it got."""

    content: bytes = b""
    lose_connection_after: int | None = None
    """Loses the connection after that many bytes of a body, `times` times."""
    times: int = 0
    ranges: bool = True
    changes: bool = False
    """The entity tag changes with each lost connection."""
    wanted_authorization: str | None = None
    disposition: str | None = None
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """What to answer first, each once; a status of 0 closes the connection without an answer."""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """Answers as a `FlakyServer` says, and closes each connection."""

    protocol_version = "HTTP/1.1"
    behaviour: FlakyServer

    def respond(self) -> None:
        """Answer a request of any method."""
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.behaviour.requests.append((self.command, self.path, dict(self.headers.items()), body))
        if self.behaviour.answers:
            self.answer(*self.behaviour.answers.pop(0))
        elif self.behaviour.wanted_authorization not in (None, self.headers.get("authorization")):
            self.answer(401, {}, b"")
        else:
            self.send_content()

    do_GET = do_POST = do_DELETE = respond  # noqa: N815 -- names of the base class

    def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        """Send a response, or none for a status of 0."""
        if status:
            self.send_response(status)
            for name, value in {
                "content-length": str(len(content)),
                "connection": "close",
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    def send_content(self) -> None:
        """Send the content, or the part of it that was asked for, and lose the connection in between."""
        behaviour = self.behaviour
        asked = self.headers.get("range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and behaviour.ranges else 0
        content = behaviour.content[start:]
        headers = {"etag": f'"{behaviour.times if behaviour.changes else 0}"'}
        headers |= {"content-disposition": behaviour.disposition} if behaviour.disposition else {}
        # The first request for a link reads its headers only.
        loses = behaviour.times > 0 and len(behaviour.requests) > 1
        sent = content[: behaviour.lose_connection_after] if loses else content
        behaviour.times -= loses
        with suppress(ConnectionError):
            self.answer(206 if start else 200, {"content-length": str(len(content)), **headers}, sent)

    def log_message(self, *_arguments: object) -> None:
        """Write nothing."""


@contextmanager
def run_flaky_server(behaviour: FlakyServer) -> Iterator[FlakyServer]:
    """Serve inside a `with` block."""
    handler = type("OwnHandler", (Handler,), {"behaviour": behaviour})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        behaviour.url = f"http://127.0.0.1:{http.server_address[1]}"
        try:
            yield behaviour
        finally:
            http.shutdown()
            thread.join()
