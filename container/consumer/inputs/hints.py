"""Say what to do about links that people copy from a browser, and about links that have expired."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from adapters.public_http.links import HttpLink

SHARES: Final[Mapping[str, str]] = {
    "drive.google.com": (
        "for a file that Google Drive shares with anyone, link to "
        "https://drive.google.com/uc?export=download&id=ID"
    ),
    "dropbox.com": "for a file that Dropbox shares, put dl=1 in place of dl=0 at the link's end",
    "github.com": "for a file on GitHub, put /raw/ in place of /blob/",
    "huggingface.co": "for a file on Hugging Face, put /resolve/ in place of /blob/",
}
"""Hosts whose share links show a page around the file, and the form of a link to the file itself."""

EXPIRED: Final = "the link has expired: sign one that is valid until the task has run"
WRONG_KEY: Final = (
    "its signature is not accepted: it must be made for this very object, and ends with the temporary "
    "credentials that it was made with"
)
FROM_HTML: Final = "its & are written as &amp;, as in HTML: write them as &"
NEEDS_CREDENTIALS: Final = (
    "give a presigned link, or ask the operator of this service for credentials of its host "
    "(inputs.credentials)"
)

_COMPACT: Final = "%Y%m%dT%H%M%SZ"
_SIGNATURES: Final = frozenset({"signature", "x-amz-signature", "x-goog-signature", "sig"})


def page_hint(link: HttpLink) -> str:
    """Return how to link to the file behind a page of a known host, or nothing."""
    host = str(link.host)
    return next((hint for name, hint in SHARES.items() if host in (name, f"www.{name}")), "")


def refusal_hint(link: HttpLink, now: float | None = None) -> str:
    """Return why a server may have refused a link with a query, or nothing."""
    query = {name.lower(): value for name, value in parse_qsl(link.target.partition("?")[2])}
    if any(name.startswith("amp;") for name in query):
        return FROM_HTML
    if not _SIGNATURES & query.keys():
        return ""
    end = _expiry(query)
    return EXPIRED if end is not None and end < (time.time() if now is None else now) else WRONG_KEY


def _expiry(query: Mapping[str, str]) -> float | None:
    """Return when a presigned link of S3, CloudFront, Google Cloud Storage or Azure expires."""
    for vendor in ("amz", "goog"):
        start, seconds = query.get(f"x-{vendor}-date", ""), query.get(f"x-{vendor}-expires", "")
        if re.fullmatch(r"[0-9]{1,9}", seconds) and (at := _time(start, _COMPACT)):
            return at.timestamp() + int(seconds)
    if re.fullmatch(r"[0-9]{1,12}", query.get("expires", "")):
        return float(query["expires"])
    at = _time(query.get("se", ""), "%Y-%m-%dT%H:%M:%SZ") or _time(query.get("se", ""), "%Y-%m-%d")
    return at.timestamp() if at else None


def _time(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
