"""Links that carry their own permission, for an hour."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from domain.clock import later
from domain.keys import s3_uri, split_s3_uri
from runtimes.media import IMAGE_TYPES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINK_SECONDS: Final = 3600
"""A link ends with the function's own credentials at the latest; those last for hours."""

MAX_UPLOAD_BYTES: Final = 32 * 1024 * 1024
"""As much as the consumer takes of an input."""

UPLOAD_TYPES: Final = IMAGE_TYPES
"""What a caller may say an upload is: what tasks take. What it really is, the consumer sees by its bytes."""


class Links:
    """Make presigned links; nothing is sent to S3 for that."""

    def __init__(self, s3: "S3Client", *, upload_bucket: str, clock: Callable[[], datetime]) -> None:
        self._s3 = s3
        self._upload_bucket = upload_bucket
        self._clock = clock

    def get(self, uri: Any) -> dict[str, str]:
        """Return an object's `s3://` link and a link to get it; raise ValueError when it is no such link."""
        if not isinstance(uri, str):
            raise ValueError("no text")  # noqa: TRY004 - whatever it is, it is no such link
        bucket, key = split_s3_uri(uri)
        url = self._s3.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=LINK_SECONDS
        )
        return {"s3": uri, "url": url, "expires_at": self._expires_at()}

    def upload(self, content_type: str | None) -> dict[str, Any]:
        """Return a form to post an input image with, under a name that nobody guesses, and its `s3://` link.

        S3 itself refuses what is empty or larger than the consumer would take.
        """
        day = self._clock().date().isoformat()
        key = f"{day}/{secrets.token_hex(16)}{UPLOAD_TYPES.get(content_type or '', '')}"
        fields = {"Content-Type": content_type} if content_type else {}
        conditions: list[Any] = [["content-length-range", 1, MAX_UPLOAD_BYTES], *([fields] if fields else [])]
        form = self._s3.generate_presigned_post(
            self._upload_bucket, key, Fields=dict(fields), Conditions=conditions, ExpiresIn=LINK_SECONDS
        )
        return {
            "method": "POST",
            "url": form["url"],
            "fields": form["fields"],
            "s3": s3_uri(self._upload_bucket, key),
            "expires_at": self._expires_at(),
        }

    def _expires_at(self) -> str:
        return later(self._clock(), LINK_SECONDS)
