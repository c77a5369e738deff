"""Where an uploaded model comes from: a file of this machine, or a link."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx

from sd_on_ecs.errors import InputError, Unreachable
from sd_on_ecs.retrying import DEFAULT_RETRIES

CHUNK_BYTES: Final = 1024 * 1024
TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)


KEPT: Final = frozenset({"host", "accept-encoding", "range", "if-range"})
"""Headers that requests have anyway, also if they were given."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model to upload: its file name, its size if it is known, and its content."""

    name: str
    size: int | None
    chunks: Iterator[bytes]


@contextmanager
def open_source(place: str, headers: Mapping[str, str]) -> Iterator[Source]:
    """Open a file or a link inside a `with` block; `headers` are sent to the host of a link only.

    If it redirects to another host, this one gets none of them, because any may be a secret.
    """
    if place.startswith(("https://", "http://")):
        given = _checked(headers)
        hooks: dict[str, list[Any]] = {"request": [_Dropping(_parsed(place), given)]}
        with httpx.Client(follow_redirects=True, timeout=TIMEOUT, headers=given, event_hooks=hooks) as http:
            yield _from_link(http, place)
        return
    path = Path(place)
    try:
        with path.open("rb") as file:
            yield Source(path.name, path.stat().st_size, iter(lambda: file.read(CHUNK_BYTES), b""))
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror or error}") from None


@dataclass(frozen=True, slots=True)
class _Dropping:
    """Removes the given headers from requests to another origin than the link's."""

    link: httpx.URL
    names: Iterable[str]

    def __call__(self, request: httpx.Request) -> None:
        origins = [(url.scheme, url.host, url.port) for url in (self.link, request.url)]
        # A host that only wants https is the same one.
        upgraded = [("http", self.link.host, None), ("https", self.link.host, None)]
        if origins[0] == origins[1] or origins == upgraded:
            return
        for name in self.names:
            if name.lower() not in KEPT:
                request.headers.pop(name, None)


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers; raise `InputError`, which does not show the value, for what no header can contain."""
    checked = {name.strip(): value.strip() for name, value in headers.items()}
    for name, value in checked.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch(
            r"[\t\x20-\x7e]*", value
        ):
            raise InputError(f"the header {name!r} has a character that no header can contain")
    return checked


def _parsed(link: str) -> httpx.URL:
    try:
        return httpx.URL(link)
    except httpx.InvalidURL as error:
        raise InputError(f"{_shown(link)} is no link: {error}") from None


def _shown(link: str) -> str:
    """Return a link without its query, which may contain a token."""
    return link.partition("?")[0]


def _from_link(http: httpx.Client, link: str) -> Source:
    try:
        # Only the headers are read here.
        with http.stream("GET", link) as response:
            _refuse(response)
            size = response.headers.get("content-length")
            name = _name(response.headers.get("content-disposition", ""), link)
            entity_tag = response.headers.get("etag")
    except httpx.RequestError as error:
        raise Unreachable(f"{_shown(link)} cannot be reached: {error}") from error
    return Source(name, int(size) if size else None, _read_link(http, link, entity_tag))


def _read_link(http: httpx.Client, link: str, entity_tag: str | None) -> Iterator[bytes]:
    """Yield the content of a link; after a lost connection, go on where it was lost."""
    offset, attempt = 0, 0
    while True:
        headers = {"accept-encoding": "identity"}
        if offset:
            headers |= {"range": f"bytes={offset}-"} | ({"if-range": entity_tag} if entity_tag else {})
        try:
            with http.stream("GET", link, headers=headers) as response:
                _refuse(response)
                if response.headers.get("etag") != entity_tag:
                    raise InputError(f"{_shown(link)} has changed while it was read; try again")
                # A host that knows no ranges sends the whole file again.
                skip = 0 if response.status_code == 206 else offset
                for chunk in response.iter_bytes(CHUNK_BYTES):
                    fresh = chunk[skip:]
                    skip = max(0, skip - len(chunk))
                    offset += len(fresh)
                    attempt = attempt if not fresh else 0
                    yield fresh
                return
        except httpx.RequestError as error:
            delay = DEFAULT_RETRIES.delay_after_error(error, attempt, repeatable=True)
            if delay is None:
                raise Unreachable(f"{_shown(link)} cannot be read: {error}") from error
            time.sleep(delay)
            attempt += 1


def _refuse(response: httpx.Response) -> None:
    if not response.is_success:
        login = " (a login may be needed: --header 'Authorization: Bearer …')"
        hint = login if response.status_code in (401, 403) else ""
        raise InputError(
            f"{response.url.copy_with(query=None, userinfo=b'')} answered {response.status_code}{hint}"
        )


def _name(disposition: str, link: str) -> str:
    found = re.search(r'filename\*?=(?:UTF-8\'\')?"?([^";]+)"?', disposition, re.IGNORECASE)
    name = unquote(found[1]) if found else unquote(urlsplit(link).path)
    return PurePosixPath(name.replace("\\", "/")).name
