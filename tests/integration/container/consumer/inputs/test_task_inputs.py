"""The inputs of a task together: one deadline, one limit of bytes, and an early end."""

import base64
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from adapters.public_http.errors import InputError, InputsStopped
from container.consumer.inputs.fetch import Links
from container.consumer.inputs.task_inputs import TaskInputs
from domain.errors import ErrorCode, PermanentError
from domain.limits import Limits
from runtimes.base import InputRef
from tests.support.http_answers import answer, picture
from tests.support.internet import forbidden_s3

EARLY_END_SECONDS = 1.0


class Server(socketserver.ThreadingTCPServer):
    """Sends an endless image slowly below /drip, 404 below /gone, and an image elsewhere."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RequestHandler)
        self.change = threading.Condition()
        self.requested_paths: list[str] = []
        self.open_connections = 0

    def link(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"

    def wait_for(self, request_count: int, seconds: float = 10) -> None:
        with self.change:
            assert self.change.wait_for(lambda: len(self.requested_paths) >= request_count, seconds)

    def wait_until_disconnected(self, seconds: float) -> None:
        """Wait until all clients have disconnected."""
        with self.change:
            assert self.change.wait_for(lambda: self.open_connections == 0, seconds), (
                f"{self.open_connections} connections are open"
            )


class RequestHandler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        request = b""
        with suppress(OSError):
            request = self.request.recv(65536)
        if not request:  # the client disconnected before it sent a request
            return
        path = request.split(b" ")[1].decode()
        with self.server.change:
            self.server.requested_paths.append(path)
            self.server.open_connections += 1
            self.server.change.notify_all()
        try:
            with suppress(OSError):
                self.respond(path)
        finally:
            with self.server.change:
                self.server.open_connections -= 1
                self.server.change.notify_all()

    def respond(self, path: str) -> None:
        if path.startswith("/gone"):
            self.request.sendall(answer(b"", status="404 Not Found"))
        elif path.startswith("/drip"):
            self.request.sendall(answer(picture()[:8], "Content-Length: 1000000", length=False))
            self.request.settimeout(0.05)
            while True:
                try:
                    if not self.request.recv(1):
                        return
                except TimeoutError:
                    self.request.sendall(b"\0")
        else:
            self.request.sendall(answer(picture()))


def link_reference(path: str, link: str) -> InputRef:
    return InputRef(path, link, is_link=True)


@pytest.fixture
def server() -> Iterator[Server]:
    http_server = Server()
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield http_server
    http_server.shutdown()
    http_server.server_close()
    thread.join()


def inputs(*, seconds: float = 60, **limits: int) -> TaskInputs:
    links = Links(s3_client=forbidden_s3(), buckets=frozenset(), allow_private=True)
    return TaskInputs(links, Limits(**limits), task_seconds=seconds)


def slow_references(server: Server, count: int) -> list[InputRef]:
    return [
        link_reference(f"/init_images/{number}", server.link(f"drip/{number}")) for number in range(count)
    ]


def test_links_are_downloaded_and_returned_by_their_pointers(server: Server) -> None:
    references = [
        link_reference("/init_images/0", server.link("a")),
        link_reference("/init_images/1", server.link("b")),
        link_reference("/mask", server.link("a")),
        InputRef("/image", base64.b64encode(picture("JPEG")).decode(), is_link=False),
    ]
    images = inputs().fetch(references)

    assert sorted(server.requested_paths) == ["/a", "/b"]
    assert {
        path: (fetched.file_type.content_type, fetched.file_type.size, len(fetched.data))
        for path, fetched in images.items()
    } == {
        "/init_images/0": ("image/png", (8, 9), len(picture())),
        "/init_images/1": ("image/png", (8, 9), len(picture())),
        "/mask": ("image/png", (8, 9), len(picture())),
        "/image": ("image/jpeg", (8, 9), len(picture("JPEG"))),
    }


def test_32_slow_links_share_one_deadline(server: Server) -> None:
    begun = time.monotonic()
    with pytest.raises(InputError) as caught:
        inputs(seconds=0.5).fetch([link_reference("/mask", server.link("a")), *slow_references(server, 31)])
    assert time.monotonic() - begun < 0.5 + EARLY_END_SECONDS
    assert caught.value.code is ErrorCode.INPUT_UNAVAILABLE
    assert caught.value.message == (
        "/init_images/0: only 1 of the task's 32 links were downloaded in time: their servers are too slow."
    )
    server.wait_until_disconnected(EARLY_END_SECONDS)
    assert len(server.requested_paths) <= 5


def test_a_stopped_task_stops_fetching_at_once(server: Server) -> None:
    stop, ended = threading.Event(), threading.Event()
    caught: list[Exception] = []

    def fetch() -> None:
        try:
            inputs().fetch(slow_references(server, 8), stop.is_set)
        except Exception as error:  # noqa: BLE001 - looked at below
            caught.append(error)
        ended.set()

    threading.Thread(target=fetch, daemon=True).start()
    server.wait_for(4)
    stop.set()
    assert ended.wait(EARLY_END_SECONDS)
    assert isinstance(caught[0], InputsStopped)
    server.wait_until_disconnected(EARLY_END_SECONDS)
    assert len(server.requested_paths) == 4


def test_the_first_failed_download_ends_all_others(server: Server) -> None:
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"^/mask: .*does not exist"):
        inputs().fetch(
            [
                *slow_references(server, 3),
                link_reference("/mask", server.link("gone")),
                *slow_references(server, 8)[3:],
            ]
        )
    assert time.monotonic() - begun < 2 * EARLY_END_SECONDS
    server.wait_until_disconnected(EARLY_END_SECONDS)
    assert "/drip/7" not in server.requested_paths


def test_the_bytes_of_all_links_are_counted_as_often_as_each_is_named(server: Server) -> None:
    size = len(picture())
    once = [link_reference(f"/init_images/{number}", server.link(str(number))) for number in range(3)]
    again = [link_reference(f"/init_images/{number}", server.link("same")) for number in range(3)]
    for references in (once, again):
        assert len(inputs(input_bytes=3 * size).fetch(references)) == 3
        with pytest.raises(InputError, match=rf"/init.*more than {3 * size - 1:,} bytes") as caught:
            inputs(input_bytes=3 * size - 1).fetch(references)
        assert caught.value.code is ErrorCode.INPUT_TOO_LARGE


def test_the_bytes_of_inline_images_count_too(server: Server) -> None:
    size = len(picture())
    inline = InputRef("/mask", base64.b64encode(picture()).decode(), is_link=False)
    references = [inline, link_reference("/init_images/0", server.link("a"))]
    assert len(inputs(input_bytes=2 * size).fetch(references)) == 2
    with pytest.raises(InputError, match=r"^/init_images/0: "):
        inputs(input_bytes=2 * size - 1).fetch(references)
    with pytest.raises(InputError, match=r"^/mask: "):
        inputs(input_bytes=size - 1).fetch(references)


def test_the_pixels_of_all_inputs_are_counted_as_often_as_each_is_named(server: Server) -> None:
    pixels = 8 * 9
    same = [link_reference(f"/init_images/{number}", server.link("same")) for number in range(3)]
    inline = [
        InputRef(f"/init_images/{number}", base64.b64encode(picture()).decode(), is_link=False)
        for number in range(3)
    ]
    for references in (same, inline):
        assert len(inputs(input_pixels=3 * pixels).fetch(references)) == 3
        with pytest.raises(InputError, match=rf"/init.*more than {3 * pixels - 1:,} pixels") as caught:
            inputs(input_pixels=3 * pixels - 1).fetch(references)
        assert caught.value.code is ErrorCode.INPUT_TOO_LARGE


def test_32_small_files_that_decode_to_2_billion_pixels_are_refused() -> None:
    header = picture()
    vast = header[:16] + (8192).to_bytes(4, "big") * 2 + header[24:]
    references = [
        InputRef(f"/init_images/{number}", base64.b64encode(vast).decode(), is_link=False)
        for number in range(32)
    ]
    assert sum(len(reference.value) for reference in references) < 10_000
    assert len(inputs().fetch(references[:4])) == 4
    with pytest.raises(InputError, match=r"^/init_images/4: with it .* 268,435,456 pixels"):
        inputs().fetch(references)


def test_too_many_links_are_refused_without_a_download(server: Server) -> None:
    with pytest.raises(PermanentError, match="at most 2 links"):
        inputs(links=2).fetch(slow_references(server, 3))
    assert server.requested_paths == []
