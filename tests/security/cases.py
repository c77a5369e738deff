"""The cases of links.yaml as data, and what each of them asserts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import yaml

from domain.errors import PermanentError
from tests.support.http_answers import CANARY, MAX_BYTES, picture
from tests.support.internet import FakeInternet, ForbiddenS3
from tests.support.secrets import FakeSecrets

DATA: dict[str, list[Any]] = yaml.safe_load(Path(__file__).with_name("links.yaml").read_text("utf-8"))
TOKEN = "Bearer t0ken"
DEFAULT_LIMITS = {
    "max_bytes": MAX_BYTES,
    "max_pixels": 1_000_000,
    "connect_seconds": 20.0,
    "total_seconds": 20.0,
}


@dataclass(frozen=True)
class Case:
    """One case: `check` fails if the implementation of the guard, the module `fetch`, does not pass it."""

    group: str
    name: str
    check: Callable[[FakeInternet, ModuleType], None]
    is_slow: bool = False


def cases() -> Iterator[Case]:
    """Yield all cases of the data file, the fast ones first."""
    for address in DATA["addresses"]:
        for connect_by in (_as_literal, _as_answer, _as_redirect):
            yield Case(
                "addresses", f"{address} {connect_by.__name__.strip('_')}", _bound(connect_by, address)
            )
    for group, check in (
        ("links", _link),
        ("redirects", _redirect),
        ("certificates", _certificate),
        ("allowed", _allowed),
        ("answers", _response),
    ):
        for entry in DATA[group]:
            yield Case(group, entry["why"], _bound(check, entry), "limits" in entry)


def _bound(
    check: Callable[[Any, FakeInternet, ModuleType], None], entry: Any
) -> Callable[[FakeInternet, ModuleType], None]:
    return lambda internet, fetch: check(entry, internet, fetch)


def links(internet: FakeInternet, fetch: ModuleType, **limits: Any) -> Any:
    """Return the guard of an implementation (the module with `Links`), connected to a fake internet."""
    return fetch.Links(
        s3_client=ForbiddenS3(),
        buckets=frozenset({"uploads"}),
        allow_private=False,
        credentials=fetch.HostCredentials(FakeSecrets({"photos": TOKEN}), {"photos.example": "photos"}),
        limits=fetch.Limits(**{**DEFAULT_LIMITS, **limits}),
        resolve=internet.resolve,
        connect=internet.connect,
        tls=internet.trust,
    )


def assert_refused(
    internet: FakeInternet, fetch: ModuleType, link: str, code: str, *, contains: str = "", **limits: Any
) -> None:
    """Assert that a link fails with a code, and that the error reveals nothing about its target."""
    with pytest.raises(PermanentError) as caught:
        links(internet, fetch, **limits).fetch(link)
    error: Any = caught.value
    assert str(error.code) == code, f"{error.code}: {error}"
    assert contains in error.message
    texts = f"{error} {error.message} {error.at('/init_images/0')!r}"
    assert CANARY.decode() not in texts
    assert not any(address in texts for address in [*internet.connected, "127.0.0.1", "10.0.0.", "169.254."])
    assert error.at("/init_images/0").message.startswith("/init_images/0: ")
    assert error.__suppress_context__ or error.__context__ is None


def _as_literal(address: str, internet: FakeInternet, fetch: ModuleType) -> None:
    internet.reset()
    assert_refused(internet, fetch, f"http://{_host(address)}/", "input_blocked")


def _as_answer(address: str, internet: FakeInternet, fetch: ModuleType) -> None:
    internet.reset(names={"inside.example": [address]})
    assert_refused(internet, fetch, "https://inside.example/", "input_blocked")
    assert internet.connected == []


def _as_redirect(address: str, internet: FakeInternet, fetch: ModuleType) -> None:
    internet.reset(redirects={"/go": f"http://{_host(address)}/".encode()})
    assert_refused(internet, fetch, "http://photos.example/go", "input_blocked")
    assert len(internet.connected) == 1


def _host(address: str) -> str:
    return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address


def _link(entry: dict[str, Any], internet: FakeInternet, fetch: ModuleType) -> None:
    internet.reset(names=entry.get("names"))
    assert_refused(
        internet, fetch, entry["link"], entry.get("code", "input_blocked"), contains=entry.get("says", "")
    )
    assert internet.connected == []


def _chain(start: str, to: list[str]) -> dict[str, bytes]:
    """Return the redirect of each path; a chain that returns to one of its paths is endless."""
    redirects, at = {}, start
    for target in to:
        redirects[urlsplit(at).path] = target.encode()
        at = target if target.startswith("http://[") else urljoin(at, target)
    return redirects


def _redirect(entry: dict[str, Any], internet: FakeInternet, fetch: ModuleType) -> None:
    internet.reset(entry.get("names"), entry.get("changes"), _chain(entry["from"], entry["to"]))
    assert_refused(internet, fetch, entry["from"], entry["code"])


def _response(entry: dict[str, Any], internet: FakeInternet, fetch: ModuleType) -> None:
    internet.reset()
    link = f"http://photos.example/{entry['response']}"
    assert_refused(
        internet, fetch, link, entry["code"], contains=entry.get("says", ""), **entry.get("limits", {})
    )


def _certificate(entry: dict[str, Any], internet: FakeInternet, fetch: ModuleType) -> None:
    internet.reset(redirects=_chain(entry["link"], entry.get("to", [])))
    assert_refused(internet, fetch, entry["link"], entry["code"], contains=entry["says"])
    assert not internet.tls.requests, "a request was sent to a server whose certificate is invalid"


def _allowed(entry: dict[str, Any], internet: FakeInternet, fetch: ModuleType) -> None:
    internet.reset(entry.get("names"), entry.get("changes"), _chain(entry["link"], entry.get("to", [])))
    fetched = links(internet, fetch).fetch(entry["link"])
    assert fetched.data == picture()
    assert (fetched.file_type.format, fetched.file_type.width, fetched.file_type.height) == ("PNG", 8, 9)
    headers_sent = [f"Authorization: {TOKEN}\r\n".encode() in request for request in internet.requests]
    if "authorized" in entry:
        assert headers_sent == entry["authorized"]
    else:
        assert not any(headers_sent[: len(internet.plain.requests)]), "credentials were sent without TLS"
    hops = 1 + len(entry.get("to", []))
    assert sum(internet.lookup_counts.values()) <= hops, "a name was looked up twice for one connection"
