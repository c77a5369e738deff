"""Where an uploaded model comes from: a file of this machine, or a link."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx

from sd_on_ecs.errors import InputError, Unreachable
from sd_on_ecs.retrying import DEFAULT_RETRIES

CHUNK_BYTES: Final = 1024 * 1024
TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)


@dataclass(frozen=True, slots=True)
class Source:
    """A model to upload: its file name, its size if it is known, and its content."""

    name: str
    size: int | None
    chunks: Iterator[bytes]


@contextmanager
def open_source(place: str, headers: Mapping[str, str]) -> Iterator[Source]:
    """Open a file or a link inside a `with` block; `headers` are sent to the host of a link only."""
    if place.startswith(("https://", "http://")):
        with httpx.Client(follow_redirects=True, timeout=TIMEOUT, headers=dict(headers)) as http:
            yield _from_link(http, place)
        return
    path = Path(place)
    try:
        with path.open("rb") as file:
            yield Source(path.name, path.stat().st_size, iter(lambda: file.read(CHUNK_BYTES), b""))
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror or error}") from None


def _from_link(http: httpx.Client, link: str) -> Source:
    try:
        # Only the headers are read here.
        with http.stream("GET", link) as response:
            _refuse(response)
            size = response.headers.get("content-length")
            name = _name(response.headers.get("content-disposition", ""), link)
            entity_tag = response.headers.get("etag")
    except httpx.RequestError as error:
        raise Unreachable(f"{link} cannot be reached: {error}") from error
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
                    raise InputError(f"{link} has changed while it was read; try again")
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
                raise Unreachable(f"{link} cannot be read: {error}") from error
            time.sleep(delay)
            attempt += 1


def _refuse(response: httpx.Response) -> None:
    if not response.is_success:
        login = " (a login may be needed: --header 'Authorization: Bearer …')"
        hint = login if response.status_code in (401, 403) else ""
        raise InputError(f"{response.url.copy_with(query=None)} answered {response.status_code}{hint}")


def _name(disposition: str, link: str) -> str:
    found = re.search(r'filename\*?=(?:UTF-8\'\')?"?([^";]+)"?', disposition, re.IGNORECASE)
    name = unquote(found[1]) if found else unquote(urlsplit(link).path)
    return PurePosixPath(name.replace("\\", "/")).name
