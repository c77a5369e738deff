"""Entry point of the console's Lambda, which serves one page without any other files.

The page needs no key, because it contains nothing of a deployment: whoever opens it enters the key.
"""

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Any, Final

_PAGE: Final = (Path(__file__).parent / "index.html").read_text(encoding="utf-8")
"""The page as `infra.console_page` built it."""

_SCRIPT: Final = re.compile(r"<script\b[^>]*>(.*?)</script>", re.DOTALL)
_STYLE: Final = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL)


def _sources(block: re.Pattern[str]) -> str:
    """Return the hashes of the page's inlined blocks, as sources for a Content-Security-Policy."""
    digests = [hashlib.sha256(found.encode()).digest() for found in block.findall(_PAGE)]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _policy(buckets: str) -> str:
    """Return a Content-Security-Policy with which the page reaches only this API and `buckets`."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_sources(_SCRIPT)}",
            f"style-src {_sources(_STYLE)}",
            f"connect-src 'self' {buckets}".rstrip(),
            # Previews of local files are blobs, and the empty icon is a data URL.
            f"img-src 'self' blob: data: {buckets}".rstrip(),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


_ETAG: Final = f'"{hashlib.sha256(_PAGE.encode()).hexdigest()[:32]}"'
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": _policy(os.environ.get("BUCKET_ORIGINS", "")),
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    # The page's URL says which API somebody uses.
    "Referrer-Policy": "no-referrer",
    # A new version is seen at once, and an old one is not sent again.
    "Cache-Control": "no-cache",
    "ETag": _ETAG,
}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request from API Gateway (REST API, proxy integration)."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if _ETAG in headers.get("if-none-match", ""):
        return {"statusCode": 304, "headers": _HEADERS, "body": ""}
    return {"statusCode": 200, "headers": _HEADERS, "body": _PAGE}
