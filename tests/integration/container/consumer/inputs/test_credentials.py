"""Credentials of hosts are read from Secrets Manager, sent only to their hosts, and never revealed."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from adapters.public_http.errors import InputError
from adapters.public_http.links import HttpLink, parse
from container.consumer.inputs.credentials import CACHE_SECONDS, HostCredentials, read_secret
from container.consumer.inputs.fetch import Links
from container.consumer.telemetry.logs import log_to_stdout
from domain.errors import ErrorCode
from local.emulator import Emulator
from tests.support.clock import FakeMonotonic
from tests.support.http_answers import picture
from tests.support.internet import FakeInternet, fake_internet, forbidden_s3
from tests.support.secrets import FakeSecrets

SECRET = "Bearer t0p-s3cret"
HOST = "photos.example"
LINK = f"https://{HOST}/cat.png"


@pytest.fixture(scope="module")
def internet() -> Iterator[FakeInternet]:
    with fake_internet() as running:
        yield running


@pytest.fixture
def logged_text(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Log as the consumer does at DEBUG; return a function that returns the output."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    output = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        log_to_stdout("DEBUG", runtime="r")
        yield output.getvalue
    root.handlers[:] = handlers
    root.setLevel(level)


def links(internet: FakeInternet, credentials: HostCredentials) -> Links:
    return Links(
        s3_client=forbidden_s3(),
        buckets=frozenset(),
        allow_private=False,
        credentials=credentials,
        resolve=internet.resolve,
        connect=internet.connect,
        tls=internet.trust,
    )


def http_link(link: str) -> HttpLink:
    parsed = parse(link)
    assert isinstance(parsed, HttpLink)
    return parsed


def test_a_secret_is_read_sent_and_never_logged(
    aws: Emulator, internet: FakeInternet, logged_text: Callable[[], str]
) -> None:
    client = aws.client("secretsmanager")
    client.create_secret(Name="photos/token", SecretString=SECRET)
    internet.reset()
    guard = links(internet, HostCredentials(client, {HOST: "photos/token"}))
    assert guard.fetch(LINK).data == picture()
    with pytest.raises(InputError) as missing:
        guard.fetch(f"https://{HOST}/status-404")
    assert [f"Authorization: {SECRET}".encode() in request for request in internet.requests] == [True, True]
    logging.getLogger("test").debug("logging is on")
    assert "logging is on" in logged_text()
    assert "t0p-s3cret" not in logged_text() + repr(missing.value) + str(missing.value)


def test_a_password_in_a_link_is_in_no_log_and_no_error(
    internet: FakeInternet, logged_text: Callable[[], str]
) -> None:
    internet.reset(redirects={"/go": b"https://user:hunter2@photos.example/cat"})
    guard = links(internet, HostCredentials())
    for link in (f"https://user:hunter2@{HOST}/cat.png", f"https://{HOST}/go"):
        with pytest.raises(InputError) as raised:
            guard.fetch(link)
        assert raised.value.code is ErrorCode.INPUT_BLOCKED
        assert "inputs.credentials" in raised.value.message
        assert "hunter2" not in logged_text() + str(raised.value) + raised.value.message


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_secret_that_cannot_be_read_fails_the_task_and_names_itself_in_the_log(
    internet: FakeInternet, logged_text: Callable[[], str], code: str
) -> None:
    internet.reset()
    guard = links(internet, HostCredentials(FakeSecrets({}, code), {HOST: "gone"}))
    with pytest.raises(InputError) as raised:
        guard.fetch(LINK)
    assert raised.value.code is ErrorCode.INPUT_UNAVAILABLE
    assert "ask the operator" in raised.value.message
    assert internet.requests == []
    assert all(fact in logged_text() for fact in ('"secret":"gone"', f'"host":"{HOST}"', code))


def test_throttling_by_secrets_manager_fails_no_task() -> None:
    credentials = HostCredentials(FakeSecrets({}, "ThrottlingException"), {HOST: "photos"})
    with pytest.raises(ClientError):
        credentials.header(http_link(LINK))


def test_a_secret_is_read_again_after_five_minutes() -> None:
    clock, secrets = FakeMonotonic(), FakeSecrets({"photos": "Bearer a"})
    credentials = HostCredentials(secrets, {HOST: "photos"}, clock=clock)
    assert (
        credentials.header(http_link(LINK))
        == credentials.header(http_link(LINK))
        == (b"Authorization", b"Bearer a")
    )
    secrets.secrets["photos"] = "Bearer b"
    clock.forward(CACHE_SECONDS + 1)
    assert credentials.header(http_link(LINK)) == (b"Authorization", b"Bearer b")
    assert secrets.requested_names == ["photos", "photos"]


@pytest.mark.parametrize(
    ("configured", "link", "is_sent"),
    [
        ("photos.example", "https://photos.example/a", True),
        ("photos.example", "https://PHOTOS.example:443/a", True),
        ("photos.example:443", "https://photos.example/a", True),
        ("photos.example:8443", "https://photos.example:8443/a", True),
        ("photos.example", "https://photos.example:8443/a", False),
        ("photos.example", "http://photos.example/a", False),
        ("photos.example", "https://sub.photos.example/a", False),
        ("photos.example", "https://photos.example.evil.example/a", False),
    ],
)
def test_credentials_are_used_only_for_the_exact_host(configured: str, link: str, *, is_sent: bool) -> None:
    credentials = HostCredentials(FakeSecrets({"photos": SECRET}), {configured: "photos"})
    assert (credentials.header(http_link(link)) is not None) == is_sent


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Bearer abc\n", (b"Authorization", b"Bearer abc")),
        ('{"header": "X-Api-Key", "value": "abc"}', (b"X-Api-Key", b"abc")),
        ('{"username": "user", "password": "secret"}', (b"Authorization", b"Basic dXNlcjpzZWNyZXQ=")),
        ("", None),
        ("Bearer a\r\nX-Other: b", None),
        ("Bearer é", None),
        ('{"header": "X Y", "value": "abc"}', None),
        ('{"header": "X-Api-Key"}', None),
        ('{"header": "X-Api-Key", "value": "a\\nb"}', None),
        ("{", None),
        (None, None),
    ],
)
def test_a_secret_contains_a_header_in_one_of_three_forms(text: Any, header: Any) -> None:
    assert read_secret(text) == header


def test_a_secret_in_another_form_fails_the_task(
    internet: FakeInternet, logged_text: Callable[[], str]
) -> None:
    internet.reset()
    guard = links(internet, HostCredentials(FakeSecrets({"photos": "a\r\nb: hunter2"}), {HOST: "photos"}))
    with pytest.raises(InputError):
        guard.fetch(LINK)
    assert internet.requests == []
    assert "no usable header" in logged_text()
    assert "hunter2" not in logged_text()
