"""Parse links once and strictly, so that no later step can interpret them differently."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, unquote

from adapters.public_http.errors import InputError, blocked
from adapters.public_http.hosts import Host, parse_host
from runtimes.links import CREDENTIALS_IN_LINK

MAX_LINK_LENGTH: Final = 8192
"""In characters; a presigned link with a session token has about two thousand."""

MAX_S3_KEY_BYTES: Final = 1024
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
FIRST_USER_PORT: Final = 1024
LAST_PORT: Final = 0xFFFF
REFUSED_PORTS: Final = frozenset(
    # Above 1024: ports that browsers refuse (WHATWG Fetch, "bad port") …
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080}
    | set(range(6665, 6670))
    # … and databases, queues, remote desktops and container engines, which a request line could disturb.
    | {1433, 1521, 2375, 2376, 2379, 3306, 3389, 5432, 5672, 5900, 6379, 9042, 9092, 9200, 9300, 11211, 27017}
)
"""Of the ports below 1024 only 80 and 443 are allowed; from 1024 on, all except these."""

SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
S3_HOST: Final = re.compile(
    r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]+)\.)?s3(?:\.dualstack)?(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?"
)
"""Hosts from which S3 serves objects; the bucket is the beginning of the host or of the path."""

UNENCODED_IN_TARGETS: Final = "/?%:@!$&'()*+,;=~-._[]"
"""Characters of a path or query that are sent as they are; all others are percent-encoded."""


@dataclass(frozen=True, slots=True)
class HttpLink:
    """A resource on a web server."""

    scheme: str
    host: Host
    port: int
    target: str
    """Path and query as in the request line: ASCII without blanks or control characters."""

    @property
    def origin(self) -> tuple[str, Host, int]:
        """Return the scheme, host and port, which identify a server."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Return host and port as in the Host header."""
        host = f"[{self.host}]" if isinstance(self.host, IPv6Address) else str(self.host)
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


@dataclass(frozen=True, slots=True)
class S3Link:
    """An object in S3."""

    bucket: str
    key: str


def parse(link: str) -> HttpLink | S3Link:
    """Parse a link; raise InputError (`input_blocked`) for links that are never followed."""
    if len(link) > MAX_LINK_LENGTH:
        raise blocked(f"it has more than {MAX_LINK_LENGTH} characters")
    link = link.strip(" \t\r\n")
    match = SCHEME.match(link)
    scheme = match[1].lower() if match else ""
    if scheme not in {"http", "https", "s3"}:
        raise blocked("only http, https and s3 links are followed")
    rest = link[len(scheme) + 1 :]
    if not rest.startswith("//"):
        raise blocked("two slashes are missing after its scheme")
    return _parse_s3(rest[2:]) if scheme == "s3" else _parse_http(scheme, rest[2:])


def unsigned_s3_object(link: HttpLink) -> S3Link | None:
    """Return the object of a link to S3's own address without a signature, None for other links."""
    path, _, query = link.target.partition("?")
    host = S3_HOST.fullmatch(link.host) if isinstance(link.host, str) else None
    if host is None or query:
        return None
    name = unquote(path.removeprefix("/"))
    try:
        return _parse_s3(f"{host['bucket']}/{name}" if host["bucket"] else name)
    except InputError:
        return None


def _parse_http(scheme: str, rest: str) -> HttpLink:
    authority, target = _split(rest.partition("#")[0])
    if CONTROL.search(rest) or "\\" in authority:
        raise blocked("it contains a character that no URL may have")
    if "@" in authority:
        raise blocked(f"it carries {CREDENTIALS_IN_LINK}")
    host, port = _split_port(authority)
    if not target.startswith("/"):
        target = "/" + target
    return HttpLink(
        scheme,
        parse_host(host),
        _port(scheme, port),
        quote(BARE_PERCENT.sub("%25", target), safe=UNENCODED_IN_TARGETS),
    )


def _split(rest: str) -> tuple[str, str]:
    """Split off the authority, which ends at the first slash or question mark."""
    end = re.search(r"[/?]", rest)
    return (rest[: end.start()], rest[end.start() :]) if end else (rest, "/")


def _split_port(authority: str) -> tuple[str, str]:
    if authority.startswith("["):
        host, bracket, port = authority.partition("]")
        return host + bracket, port.removeprefix(":") if port.startswith(":") else port and "malformed"
    host, _, port = authority.partition(":")
    return host, port


def _port(scheme: str, text: str) -> int:
    if not text:
        return DEFAULT_PORTS[scheme]
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise blocked("its port is not a number")
    port = int(text)
    well_known = port < FIRST_USER_PORT and port not in DEFAULT_PORTS.values()
    if well_known or port in REFUSED_PORTS or port > LAST_PORT:
        raise blocked("its port is not allowed")
    return port


def _parse_s3(rest: str) -> S3Link:
    bucket, _, key = rest.partition("/")
    if (
        not key
        or len(key.encode(errors="replace")) > MAX_S3_KEY_BYTES
        or re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", key)
    ):
        raise blocked("its key is not valid for an object in S3")
    if {".", ".."} & set(key.split("/")):
        raise blocked("its key has a segment . or ..")
    return S3Link(bucket, key)
