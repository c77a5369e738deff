"""Downloads over real connections: what reaches the server, and which limits apply."""

import os
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import certifi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.public_http.allowance import Deadline
from adapters.public_http.connection import public_tls
from adapters.public_http.errors import InputError
from adapters.public_http.links import HttpLink
from adapters.public_http.network import Resolve, resolve_host, system_resolve
from container.consumer.inputs.fetch import Links
from container.consumer.inputs.limits import Limits
from tests.support.http_answers import answer, picture
from tests.support.internet import FakeInternet, fake_internet, forbidden_s3

DEFAULT_LIMITS = Limits()


@pytest.fixture(scope="module")
def internet() -> object:
    """Run the fake internet."""
    with fake_internet() as running:
        yield running


def guard_on_this_machine(*, allow_private: bool, limits: Limits = DEFAULT_LIMITS) -> Links:
    """Return a guard with the machine's own resolver and connections."""
    return Links(s3_client=forbidden_s3(), buckets=frozenset(), allow_private=allow_private, limits=limits)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_private_addresses_are_reached_if_they_are_allowed(host: str, internet: FakeInternet) -> None:
    fetched = guard_on_this_machine(allow_private=True).fetch(f"http://{host}:{internet.plain.port}/cat")
    assert fetched.data == picture()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_private_addresses_are_not_connected_to_otherwise(host: str, internet: FakeInternet) -> None:
    internet.reset()
    with pytest.raises(InputError) as caught:
        guard_on_this_machine(allow_private=False).fetch(f"http://{host}:{internet.plain.port}/cat")
    assert caught.value.code == "input_blocked"
    assert internet.plain.requests == []


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("http://us er@127.0.0.1:{port}/", "input_blocked"),
        ("file:///etc/passwd", "input_blocked"),
        ("http://127.0.0.1:22/", "input_blocked"),
        ("s3://any/key", "input_blocked"),
        ("http://127.0.0.1:{port}/status-404", "input_unavailable"),
        ("http://127.0.0.1:{port}/html-as-png", "input_not_an_image"),
        ("http://127.0.0.1:{port}/png-vast", "input_too_large"),
        ("http://127.0.0.1:{port}/gzip-bomb", "input_not_an_image"),
    ],
)
def test_allowing_private_addresses_changes_no_other_rule(
    link: str, code: str, internet: FakeInternet
) -> None:
    internet.reset()
    with pytest.raises(InputError) as caught:
        guard_on_this_machine(allow_private=True).fetch(link.format(port=internet.plain.port))
    assert caught.value.code == code


def test_proxies_of_the_environment_are_not_used(
    internet: FakeInternet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve names itself and could connect to any address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        fetched = guard_on_this_machine(allow_private=True).fetch(
            f"http://127.0.0.1:{internet.plain.port}/cat"
        )
        assert fetched.data == picture()
        proxy.settimeout(0)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_certificates_are_checked_against_certifis_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    context = public_tls()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    expected = ssl.create_default_context(cafile=certifi.where())
    assert context.cert_store_stats() == expected.cert_store_stats()
    assert context.cert_store_stats()["x509_ca"] > 50


def guard(internet: FakeInternet) -> Links:
    """Return a guard that is connected to the fake internet."""
    return Links(
        s3_client=forbidden_s3(),
        buckets=frozenset(),
        allow_private=False,
        resolve=internet.resolve,
        connect=internet.connect,
        tls=internet.trust,
    )


def test_the_checked_address_is_connected_to_and_the_name_is_sent_as_sni_and_host(
    internet: FakeInternet,
) -> None:
    internet.reset(names={"photos.example": ["93.184.216.34"]})
    guard(internet).fetch("https://Photos.Example:8443/cat?size=1#top")
    (request,) = internet.tls.requests
    lines = request.decode().split("\r\n")
    assert internet.connected == ["93.184.216.34"]
    assert internet.names_asked_in_tls == ["photos.example"]
    assert lines[0] == "GET /cat?size=1 HTTP/1.1"
    assert "Host: photos.example:8443" in lines
    assert "Accept-Encoding: identity" in lines
    assert not any(line.lower().startswith(("cookie", "authorization", "referer")) for line in lines)


def test_one_guard_can_be_used_by_many_threads(internet: FakeInternet) -> None:
    internet.reset()
    shared = guard(internet)
    paths = [
        f"https://photos.example/{path}" for path in ("ok-chunked", "cat", "ok-until-close", "status-404")
    ] * 8

    def fetch(link: str) -> bytes | str:
        try:
            return shared.fetch(link).data
        except InputError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(fetch, paths))
    assert images == [picture(), picture(), picture(), "input_unavailable"] * 8


def test_resolving_a_name_has_a_timeout() -> None:
    released = threading.Event()

    def hang(_name: str, _port: int) -> list[str]:
        released.wait(5)  # longer than the fetch waits
        return ["93.184.216.34"]

    with pytest.raises(InputError, match="took too long"):
        resolve_host("photos.example", 80, resolve=hang, allow_private=False, seconds=0.05)
    released.set()


@pytest.mark.parametrize("error", [socket.gaierror("no"), OSError("no"), UnicodeError("no")])
def test_a_name_that_cannot_be_resolved_fails_the_task(error: Exception) -> None:
    with pytest.raises(InputError, match="not known"):
        resolve_host("a.example", 80, resolve=failing_resolver(error), allow_private=False, seconds=20)


def test_an_unexpected_error_of_the_resolver_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        resolve_host(
            "a.example", 80, resolve=failing_resolver(ZeroDivisionError()), allow_private=False, seconds=20
        )


def failing_resolver(error: Exception) -> Resolve:
    """Return a resolver that raises."""

    def resolve(_name: str, _port: int) -> list[str]:
        raise error

    return resolve


def test_the_system_resolver_returns_addresses() -> None:
    assert system_resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert "127.0.0.1" in system_resolve("localhost", 80) or "::1" in system_resolve("localhost", 80)


def test_a_deadline_limits_each_step_to_the_remaining_time() -> None:
    assert Deadline(100).step_seconds(1) == 1
    assert 0 < Deadline(1).step_seconds(100) <= 1
    with pytest.raises(TimeoutError):
        Deadline(0).step_seconds()


@pytest.mark.parametrize("refusing", [1, 2, 4])
def test_every_address_is_tried(refusing: int, internet: FakeInternet) -> None:
    internet.reset(names={"photos.example": ["2606:2800:220:1::dead"] * 1 + ["93.184.216.34"]})
    assert guard(internet).fetch("http://photos.example/cat").data == picture()
    internet.reset(names={"photos.example": ["2606:2800:220:1::dead"] * refusing})
    with pytest.raises(InputError, match="does not answer"):
        guard(internet).fetch("http://photos.example/cat")


def connector_with_response(data: bytes) -> Callable[[str, int, float], socket.socket]:
    """Return a connector whose connection has received everything already."""

    def connect(_address: str, _port: int, _seconds: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        connections.append(theirs)
        return ours

    connections: list[socket.socket] = []
    return connect


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200)
    | st.builds(
        lambda status, headers, body: (
            b"HTTP/1.1 %d x\r\n" % status + b"\r\n".join(headers) + b"\r\n\r\n" + body
        ),
        st.integers(100, 599),
        st.lists(
            st.sampled_from(
                [
                    b"Content-Length: 5",
                    b"Transfer-Encoding: chunked",
                    b"Location: \xff\xfe",
                    b"Location: http://[",
                    b"Location: //",
                ]
            )
            | st.binary(max_size=20),
            max_size=3,
        ),
        st.binary(max_size=50),
    )
)
def test_any_response_results_in_an_image_or_an_input_error(data: bytes) -> None:
    links = Links(
        s3_client=forbidden_s3(),
        buckets=frozenset(),
        allow_private=False,
        resolve=lambda _name, _port: ["93.184.216.34"],
        connect=connector_with_response(data),
        tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
    with pytest.raises(InputError):
        links.fetch("http://photos.example/cat")


def test_a_link_is_formatted_without_fragment_and_default_port() -> None:
    assert str(HttpLink("https", "a.example", 443, "/x")) == "https://a.example/x"


def test_the_limit_of_bytes_is_exact(internet: FakeInternet) -> None:
    internet.reset()
    exact = Limits(max_bytes=len(picture()))
    assert guard_on_this_machine(allow_private=True, limits=exact).fetch(
        f"http://127.0.0.1:{internet.plain.port}/ok-chunked"
    )
    below = Limits(max_bytes=len(picture()) - 1)
    for response in ("cat", "ok-chunked", "ok-until-close"):
        with pytest.raises(InputError, match="too large"):
            guard_on_this_machine(allow_private=True, limits=below).fetch(
                f"http://127.0.0.1:{internet.plain.port}/{response}"
            )


def test_the_limit_of_pixels_is_exact() -> None:
    links = Links(
        s3_client=forbidden_s3(),
        buckets=frozenset(),
        allow_private=False,
        limits=Limits(max_pixels=72),
        resolve=lambda _name, _port: ["93.184.216.34"],
        connect=connector_with_response(answer(picture(size=(8, 9)))),
    )
    assert links.fetch("http://photos.example/").file_type.pixels == 72
    links = Links(
        s3_client=forbidden_s3(),
        buckets=frozenset(),
        allow_private=False,
        limits=Limits(max_pixels=71),
        resolve=lambda _name, _port: ["93.184.216.34"],
        connect=connector_with_response(answer(picture(size=(8, 9)))),
    )
    with pytest.raises(InputError, match="71 pixels"):
        links.fetch("http://photos.example/")


def test_every_download_closes_its_connection(internet: FakeInternet) -> None:
    internet.reset()
    connections: list[socket.socket] = []

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        connections.append(internet.connect(address, port, seconds))
        return connections[-1]

    links = Links(
        s3_client=forbidden_s3(),
        buckets=frozenset(),
        allow_private=False,
        limits=Limits(max_bytes=70_000),
        resolve=internet.resolve,
        connect=connect,
        tls=internet.trust,
    )
    for response in (
        "cat",
        "status-404",
        "long-until-close",
        "not-http",
        "redirect-without-location",
        "html-as-png",
    ):
        with suppress(InputError):
            links.fetch(f"http://photos.example/{response}")
    assert len(connections) == 6
    assert [sock.fileno() for sock in connections] == [-1] * 6


@pytest.mark.parametrize(
    ("connect_seconds", "total_seconds", "max_seconds"), [(3.0, 20.0, 3.0), (20.0, 2.0, 2.0)]
)
def test_all_addresses_share_the_time_for_connecting(
    connect_seconds: float, total_seconds: float, max_seconds: float
) -> None:
    given_seconds: list[float] = []

    def connect(_address: str, _port: int, seconds: float) -> socket.socket:
        given_seconds.append(seconds)
        raise TimeoutError

    links = Links(
        s3_client=forbidden_s3(),
        buckets=frozenset(),
        allow_private=False,
        limits=Limits(connect_seconds=connect_seconds, total_seconds=total_seconds),
        resolve=lambda _name, _port: ["93.184.216.34", "93.184.216.35"],
        connect=connect,
    )
    with pytest.raises(InputError, match="took too long"):
        links.fetch("http://photos.example/cat")
    first, second = given_seconds
    assert 0 < first <= max_seconds / 2
    assert 0 < second <= max_seconds


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_never_responds_times_out(scheme: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:  # the kernel connects, nobody accepts
        impatient = guard_on_this_machine(
            allow_private=True, limits=Limits(connect_seconds=0.2, total_seconds=0.3)
        )
        with pytest.raises(InputError, match="took too long"):
            impatient.fetch(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/cat")


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_is_connected_to() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    received: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            received.append(connection.recv(65536))
            connection.sendall(answer(picture()))

    with closing(server):
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        assert guard_on_this_machine(allow_private=True).fetch(f"http://[::1]:{port}/cat").data == picture()
        thread.join()
    assert f"Host: [::1]:{port}".encode() in received[0]
