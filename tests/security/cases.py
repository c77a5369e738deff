"""The cases of links.yaml, as data and as what each of them asserts."""

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
from tests.support.http_answers import CANARY, LIMIT, picture
from tests.support.internet import NoS3, World
from tests.support.secrets import FakeSecrets

DATA: dict[str, list[Any]] = yaml.safe_load(Path(__file__).with_name("links.yaml").read_text("utf-8"))
TOKEN = "Bearer t0ken"
GENEROUS = {"max_bytes": LIMIT, "max_pixels": 1_000_000, "connect_seconds": 20.0, "total_seconds": 20.0}


@dataclass(frozen=True)
class Case:
    """Name a case and hold what it asserts of an implementation."""

    group: str
    name: str
    check: Callable[[World, ModuleType], None]
    slow: bool = False


def cases() -> Iterator[Case]:
    """Yield every case of the data file, the cheap ones first."""
    for address in DATA["addresses"]:
        for way in (_as_literal, _as_answer, _as_redirect):
            yield Case("addresses", f"{address} {way.__name__.strip('_')}", _bound(way, address))
    for group, check in (
        ("links", _link),
        ("redirects", _redirect),
        ("certificates", _certificate),
        ("allowed", _allowed),
        ("answers", _story),
    ):
        for entry in DATA[group]:
            yield Case(group, entry["why"], _bound(check, entry), "limits" in entry)


def _bound(
    check: Callable[[Any, World, ModuleType], None], entry: Any
) -> Callable[[World, ModuleType], None]:
    return lambda world, fetch: check(entry, world, fetch)


def links(world: World, fetch: ModuleType, **limits: Any) -> Any:
    """Return the guard of an implementation (the module with `Links`), at home in that world."""
    return fetch.Links(
        s3_client=NoS3(),
        buckets=frozenset({"uploads"}),
        allow_private=False,
        credentials=fetch.HostCredentials(FakeSecrets({"photos": TOKEN}), {"photos.example": "photos"}),
        limits=fetch.Limits(**{**GENEROUS, **limits}),
        resolve=world.resolve,
        connect=world.connect,
        tls=world.trust,
    )


def refused(world: World, fetch: ModuleType, link: str, code: str, *, says: str = "", **limits: Any) -> None:
    """Assert that a link ends with that code, and that the error tells nothing of where it led."""
    with pytest.raises(PermanentError) as caught:
        links(world, fetch, **limits).fetch(link)
    error: Any = caught.value
    assert str(error.code) == code, f"{error.code}: {error}"
    assert says in error.message
    texts = f"{error} {error.message} {error.at('/init_images/0')!r}"
    assert CANARY.decode() not in texts
    assert not any(address in texts for address in [*world.connected, "127.0.0.1", "10.0.0.", "169.254."])
    assert error.at("/init_images/0").message.startswith("/init_images/0: ")
    assert error.__suppress_context__ or error.__context__ is None


def _as_literal(address: str, world: World, fetch: ModuleType) -> None:
    world.reset()
    refused(world, fetch, f"http://{_host(address)}/", "input_blocked")


def _as_answer(address: str, world: World, fetch: ModuleType) -> None:
    world.reset(names={"inside.example": [address]})
    refused(world, fetch, "https://inside.example/", "input_blocked")
    assert world.connected == []


def _as_redirect(address: str, world: World, fetch: ModuleType) -> None:
    world.reset(redirects={"/go": f"http://{_host(address)}/".encode()})
    refused(world, fetch, "http://photos.example/go", "input_blocked")
    assert len(world.connected) == 1


def _host(address: str) -> str:
    return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address


def _link(entry: dict[str, Any], world: World, fetch: ModuleType) -> None:
    world.reset(names=entry.get("names"))
    refused(world, fetch, entry["link"], entry.get("code", "input_blocked"), says=entry.get("says", ""))
    assert world.connected == []


def _chain(start: str, to: list[str]) -> dict[str, bytes]:
    """Return which path leads where; a chain that returns to a path of its own goes round for ever."""
    redirects, at = {}, start
    for target in to:
        redirects[urlsplit(at).path] = target.encode()
        at = target if target.startswith("http://[") else urljoin(at, target)
    return redirects


def _redirect(entry: dict[str, Any], world: World, fetch: ModuleType) -> None:
    world.reset(entry.get("names"), entry.get("changes"), _chain(entry["from"], entry["to"]))
    refused(world, fetch, entry["from"], entry["code"])


def _story(entry: dict[str, Any], world: World, fetch: ModuleType) -> None:
    world.reset()
    link = f"http://photos.example/{entry['story']}"
    refused(world, fetch, link, entry["code"], says=entry.get("says", ""), **entry.get("limits", {}))


def _certificate(entry: dict[str, Any], world: World, fetch: ModuleType) -> None:
    world.reset(redirects=_chain(entry["link"], entry.get("to", [])))
    refused(world, fetch, entry["link"], entry["code"], says=entry["says"])
    assert not world.tls.requests, "something was asked of a server that is not who it says"


def _allowed(entry: dict[str, Any], world: World, fetch: ModuleType) -> None:
    world.reset(entry.get("names"), entry.get("changes"), _chain(entry["link"], entry.get("to", [])))
    fetched = links(world, fetch).fetch(entry["link"])
    assert fetched.data == picture()
    assert (fetched.image.format, fetched.image.width, fetched.image.height) == ("PNG", 8, 9)
    sent = [f"Authorization: {TOKEN}\r\n".encode() in request for request in world.requests]
    if "authorized" in entry:
        assert sent == entry["authorized"]
    else:
        assert not any(sent[: len(world.plain.requests)]), "credentials were sent without TLS"
    hops = 1 + len(entry.get("to", []))
    assert sum(world.asked.values()) <= hops, "a name was looked up twice for one connection"
