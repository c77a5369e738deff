"""Download over http and https, one redirect at a time."""

import ssl
from urllib.parse import urljoin

import httpcore

from adapters.public_http.allowance import Allowance, Deadline
from adapters.public_http.connection import Requests
from adapters.public_http.errors import InputError, blocked, not_an_image, too_large, unavailable
from adapters.public_http.links import HttpLink, parse, unsigned_s3_object
from container.consumer.inputs.credentials import Header, HostCredentials
from container.consumer.inputs.hints import NEEDS_CREDENTIALS, refusal_hint
from container.consumer.inputs.limits import Limits
from runtimes.media import begins_as_image

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
MISSING_STATUSES = frozenset({404, 410})
UNAUTHORIZED = 401
FORBIDDEN = 403
REFUSAL_STATUSES = frozenset({400, UNAUTHORIZED, FORBIDDEN})
OK = 200
COMPRESSIONS = frozenset({"gzip", "x-gzip", "compress", "x-compress", "deflate", "br", "zstd", "dcb", "dcz"})
"""The content codings that IANA lists as such; anything else in that header is no coding."""

PRESIGN_HINT = "for an object that is not public, give a presigned link"
REQUEST_HEADERS = [
    (b"User-Agent", b"sd-on-ecs"),
    (b"Accept", b"image/*, */*;q=0.1"),
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
]


class Web:
    """Downloads http and https links; can be used from several threads."""

    def __init__(
        self,
        *,
        requests: Requests,
        limits: Limits,
        credentials: HostCredentials,
    ) -> None:
        self._requests = requests
        self._limits = limits
        self._credentials = credentials

    def fetch(self, link: HttpLink, allowance: Allowance) -> bytes:
        """Return the body, following redirects, each of which is checked like the first link."""
        deadline = allowance.deadline(self._limits.total_seconds)
        # These credentials are for the server that the task named, and are not sent to any other one.
        header = self._credentials.header(link)
        for _ in range(self._limits.max_redirects + 1):
            result = self._fetch_one_link(link, header, deadline, allowance)
            if isinstance(result, bytes):
                return result
            header = header if result.origin == link.origin else None
            link = result
        raise unavailable(f"it redirects more than {self._limits.max_redirects} times")

    def _fetch_one_link(
        self, link: HttpLink, header: Header | None, deadline: Deadline, allowance: Allowance
    ) -> bytes | HttpLink:
        try:
            return self._send_request(link, header, deadline, allowance)
        except InputError:
            raise
        except ssl.SSLCertVerificationError:
            raise unavailable("its server's certificate is not valid for it") from None
        except (TimeoutError, httpcore.TimeoutException):
            raise unavailable("its server took too long") from None
        except (OSError, httpcore.NetworkError):
            raise unavailable("its server does not answer") from None
        except (httpcore.ProtocolError, ValueError):
            raise unavailable("its server's answer is broken") from None

    def _send_request(
        self, link: HttpLink, header: Header | None, deadline: Deadline, allowance: Allowance
    ) -> bytes | HttpLink:
        headers = [*REQUEST_HEADERS, *([header] if header else [])]
        with self._requests.send("GET", link, headers, deadline=deadline, allowance=allowance) as response:
            if response.status in REDIRECT_STATUSES:
                return _redirect(link, response)
            _check_status_and_length(link, response, self._limits.download_bytes)
            body = _body(response, self._limits.download_bytes, allowance)
            # When it comes from an object's metadata, this header can be wrong (base64, utf-8, aws-chunked).
            codings = _header(response, b"content-encoding").lower().split(",")
            compressed = any(coding.strip() in COMPRESSIONS for coding in codings)
            if compressed and not begins_as_image(body):
                raise not_an_image("its server compressed it, although the request asked for no compression")
            return body


def _redirect(link: HttpLink, response: httpcore.Response) -> HttpLink:
    location = _header(response, b"location")
    if not location:
        raise unavailable("it redirects without saying where to")
    target = parse(urljoin(str(link), location.replace(" ", "%20")))
    if not isinstance(target, HttpLink):
        raise blocked("it redirects to a bucket")
    return target


def _check_status_and_length(link: HttpLink, response: httpcore.Response, max_bytes: int) -> None:
    if response.status in MISSING_STATUSES:
        raise unavailable(f"its server says that it does not exist ({response.status})")
    if response.status != OK:
        hint = _hint(link, response.status)
        raise unavailable(f"its server answers with status {response.status}{f'; {hint}' if hint else ''}")
    length = _header(response, b"content-length")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_many_bytes(max_bytes)


def _hint(link: HttpLink, status: int) -> str:
    if status not in REFUSAL_STATUSES:
        return ""
    if signature_hint := refusal_hint(link):
        return signature_hint
    if status == FORBIDDEN and unsigned_s3_object(link):
        return PRESIGN_HINT
    return NEEDS_CREDENTIALS if status == UNAUTHORIZED else ""


def _body(response: httpcore.Response, max_bytes: int, allowance: Allowance) -> bytes:
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        allowance.count_bytes(len(chunk))
        if len(body) > max_bytes:
            raise _too_many_bytes(max_bytes)
    return bytes(body)


def _header(response: httpcore.Response, name: bytes) -> str:
    values = [value for header, value in response.headers if header.lower() == name]
    return values[0].decode(errors="replace").strip() if values else ""


def _too_many_bytes(max_bytes: int) -> InputError:
    return too_large(f"{max_bytes:,} bytes are allowed")
