"""The connection on which jobs are sent, against servers that close or break it."""

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from container.consumer.engines.base import EngineTimedOut
from container.consumer.engines.sdwebui.job_connection import EngineUnreachable, JobConnection
from domain.errors import RetryableError

LONG_BODY = b"x" * 4_000_000
OK_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
TIMEOUT_SECONDS = 10.0

ServeConnection = Callable[[socket.socket], None]


@contextmanager
def serving(*connections: ServeConnection) -> Iterator[str]:
    """Accept one connection after the other, and let a function serve each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for serve in connections:
                connection, _ = listener.accept()
                with connection:
                    serve(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive(), "fewer connections than expected"


def read_request(connection: socket.socket) -> tuple[bytes, int]:
    """Read a whole request; return its head and the length of its body."""
    stream = connection.makefile("rb")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.readline()
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, len(stream.read(length))


def connection(url: str, **changes: float) -> JobConnection:
    """Return a connection to the server; keywords override its time limits in seconds."""
    seconds = {"connect_seconds": 5.0, "response_seconds": 10.0, "keepalive_seconds": 5.0} | changes
    return JobConnection(url, **seconds)


def post(
    job_connection: JobConnection, body: bytes = b"{}", events: list[str] | None = None
) -> tuple[int, bytes]:
    events = [] if events is None else events
    return job_connection.post(
        "/job",
        lambda: body,
        on_sent=lambda: events.append("sent"),
        on_response=lambda: events.append("answered"),
    )


def test_jobs_share_a_connection_and_report_when_they_are_sent_and_answered() -> None:
    lengths, events, test_is_over = [], [], threading.Event()

    def serve(connection: socket.socket) -> None:
        for _ in range(2):
            lengths.append(read_request(connection)[1])
            events.append("ran")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + LONG_BODY)
        test_is_over.wait(TIMEOUT_SECONDS)

    with serving(serve) as url:
        jobs = connection(url)
        assert not jobs.is_open()
        for _ in range(2):
            assert post(jobs, LONG_BODY, events) == (200, LONG_BODY)
            assert jobs.is_open()
        test_is_over.set()
    assert lengths == [len(LONG_BODY)] * 2
    assert events.count("sent") == events.count("answered") == 2


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    closed = threading.Event()

    def serve_and_close(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK_RESPONSE)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    def serve_next(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK_RESPONSE)

    with serving(serve_and_close, serve_next) as url:
        jobs = connection(url)
        post(jobs)
        assert closed.wait(TIMEOUT_SECONDS)
        assert not jobs.is_open()
        assert post(jobs) == (200, b"{}")


def test_a_connection_that_was_idle_too_long_is_not_used_again() -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK_RESPONSE)

    with serving(serve, serve) as url:
        jobs = connection(url, keepalive_seconds=0.0)
        post(jobs)
        assert not jobs.is_open()
        post(jobs)
        jobs.close()


def test_credentials_and_path_of_the_url_are_sent() -> None:
    heads = []

    def serve(connection: socket.socket) -> None:
        heads.append(read_request(connection)[0])
        connection.sendall(OK_RESPONSE)

    with serving(serve) as url:
        jobs = connection(url.replace("//", "//me:p%40ss@") + "/below/")
        post(jobs)
        jobs.close()
    assert heads[0].startswith(b"POST /below/job HTTP/1.1\r\n")
    assert b"Basic " + base64.b64encode(b"me:p@ss") in heads[0]


def close_without_response(connection: socket.socket) -> None:
    read_request(connection)


def cut_response_off(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def send_no_http(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"nonsense\r\n\r\n")


@pytest.mark.parametrize("serve", [close_without_response, cut_response_off, send_no_http])
def test_an_incomplete_response_is_retryable(serve: ServeConnection) -> None:
    with serving(serve) as url:
        jobs = connection(url)
        with pytest.raises(RetryableError) as caught:
            post(jobs)
    assert not isinstance(caught.value, EngineUnreachable), "its job may still run"
    assert not jobs.is_open()


def test_a_missing_response_is_a_timeout() -> None:
    test_is_over = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        test_is_over.wait(TIMEOUT_SECONDS)

    with serving(serve) as url:
        with pytest.raises(EngineTimedOut):
            post(connection(url, response_seconds=0.2))
        test_is_over.set()


def test_a_refused_connection_means_that_no_job_runs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EngineUnreachable):
        post(connection(f"http://127.0.0.1:{port}"))
