"""Errors say what to do if a link leads to a page or has expired."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from adapters.public_http.errors import InputError
from adapters.public_http.links import HttpLink, parse
from container.consumer.inputs.fetch import Links
from container.consumer.inputs.hints import EXPIRED, FROM_HTML, WRONG_KEY, page_hint, refusal_hint
from domain.errors import ErrorCode
from tests.support.internet import PUBLIC, FakeInternet, fake_internet, forbidden_s3

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def internet() -> Iterator[FakeInternet]:
    with fake_internet() as running:
        yield running


def failure(internet: FakeInternet, link: str, names: tuple[str, ...] = ()) -> InputError:
    internet.reset(names={name: [PUBLIC] for name in names})
    guard = Links(
        s3_client=forbidden_s3(),
        buckets=frozenset(),
        allow_private=False,
        resolve=internet.resolve,
        connect=internet.connect,
        tls=internet.trust,
    )
    with pytest.raises(InputError) as raised:
        guard.fetch(link)
    return raised.value


def http_link(link: str) -> HttpLink:
    parsed = parse(link)
    assert isinstance(parsed, HttpLink)
    return parsed


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("http://drive.google.com/html-as-png", "https://drive.google.com/uc?export=download&id=ID"),
        ("http://www.dropbox.com/html-as-png", "dl=1 in place of dl=0"),
        ("http://github.com/html-as-png", "/raw/ in place of /blob/"),
        ("http://photos.example/html-as-png", "not to the page that shows it."),
    ],
)
def test_the_error_for_a_page_about_a_file_explains_how_to_link_the_file(
    internet: FakeInternet, link: str, reason: str
) -> None:
    error = failure(internet, link, names=(http_link(link).authority,))
    assert error.code is ErrorCode.INPUT_NOT_AN_IMAGE
    assert "it is a web page (HTML), perhaps a login page" in error.message
    assert reason in error.message


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Date=20240101T000000Z&X-Amz-Expires=3600&X-Amz-Signature=abc",
        "X-Goog-Date=20240101T000000Z&X-Goog-Expires=3600&X-Goog-Signature=abc",
        "AWSAccessKeyId=x&Expires=1700000000&Signature=abc",
        "se=2024-01-01T00%3A00%3A00Z&sp=r&sig=abc",
        "se=2024-01-01&sp=r&sig=abc",
    ],
)
def test_the_error_for_an_expired_link_says_so(internet: FakeInternet, query: str) -> None:
    error = failure(internet, f"http://photos.example/status-403?{query}")
    assert error.code is ErrorCode.INPUT_UNAVAILABLE
    assert EXPIRED in error.message
    assert "abc" not in error.message


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("X-Amz-Date=20261125T113000Z&X-Amz-Expires=3600&X-Amz-Signature=abc", WRONG_KEY),
        ("X-Amz-Date=20261125T105900Z&X-Amz-Expires=3600&X-Amz-Signature=abc", EXPIRED),
        ("X-Amz-Date=20261125T113000Z&X-Amz-Expires=many&X-Amz-Signature=abc", WRONG_KEY),
        ("X-Amz-Date=yesterday&X-Amz-Expires=1&X-Amz-Signature=abc", WRONG_KEY),
        ("X-Amz-Date=00010101T000000Z&X-Amz-Expires=1&X-Amz-Signature=abc", EXPIRED),
        ("X-Amz-Date=99991231T235959Z&X-Amz-Expires=999999999&X-Amz-Signature=abc", WRONG_KEY),
        ("X-Amz-Date=20261125T113000Z&amp;X-Amz-Expires=3600&amp;X-Amz-Signature=abc", FROM_HTML),
        ("expires=1700000000", ""),
        ("", ""),
    ],
)
def test_only_a_signed_link_can_have_expired(query: str, hint: str) -> None:
    assert refusal_hint(http_link(f"https://bucket.example/a.png?{query}"), NOW) == hint


def test_the_error_for_a_401_refers_to_the_settings(internet: FakeInternet) -> None:
    assert "inputs.credentials" in failure(internet, "http://photos.example/status-401").message


def test_a_missing_file_gets_no_hint_about_signatures(internet: FakeInternet) -> None:
    message = failure(internet, "http://photos.example/status-404?X-Amz-Signature=abc").message
    assert "sign" not in message


@pytest.mark.parametrize(
    "link", ["https://notdrive.google.com/", "https://drive.google.com.evil.example/", "https://192.0.2.1/"]
)
def test_hints_for_a_host_do_not_apply_to_similar_names(link: str) -> None:
    assert page_hint(http_link(link)) == ""
