"""Entry point of the console's Lambda, which serves one page without any other files.

The page needs no key, because it contains nothing of a deployment: whoever opens it enters the key.
"""

import base64
import hashlib
import os
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

_PAGE: Final = Path(__file__).parent / "index.html"
"""The page as `infra.console_page` built it."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request from API Gateway (REST API, proxy integration)."""
    response = _response()
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if response["headers"]["ETag"] in headers.get("if-none-match", ""):
        return response | {"statusCode": 304, "body": ""}
    return response


@cache
def _response() -> dict[str, Any]:
    page = _PAGE.read_text(encoding="utf-8")
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": content_security_policy(page, os.environ.get("BUCKET_ORIGINS", "")),
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        # The page's URL says which API somebody uses.
        "Referrer-Policy": "no-referrer",
        # A new version is seen at once, and an old one is not sent again.
        "Cache-Control": "no-cache",
        "ETag": f'"{hashlib.sha256(page.encode()).hexdigest()[:32]}"',
    }
    return {"statusCode": 200, "headers": headers, "body": page}


def content_security_policy(page: str, buckets: str) -> str:
    """Return the policy with which a page runs only what is inlined and reaches only this API and `buckets`.

    `buckets` are origins, separated by spaces.
    """
    blocks = _Blocks()
    blocks.feed(page)
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_sources(blocks.contents['script'])}",
            f"style-src {_sources(blocks.contents['style'])}",
            f"connect-src 'self' {buckets}".rstrip(),
            # Previews of local files are blobs, and the empty icon is a data URL.
            f"img-src 'self' blob: data: {buckets}".rstrip(),
            f"media-src 'self' {buckets}".rstrip(),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


class _Blocks(HTMLParser):
    """Collects what is between the tags of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.contents: dict[str, list[str]] = {"script": [], "style": []}
        self._open: str | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._open = tag if tag in self.contents else None
        if self._open:
            self.contents[self._open].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open:
            self.contents[self._open][-1] += data


def _sources(contents: list[str]) -> str:
    digests = [hashlib.sha256(content.encode()).digest() for content in contents]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
