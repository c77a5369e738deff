"""Presigned links to download outputs and to upload inputs."""

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
"""A link also expires with the credentials of the Lambda, which are valid for hours."""

MAX_UPLOAD_BYTES: Final = 32 * 1024 * 1024
"""The consumer's size limit for one input."""

UPLOAD_TYPES: Final = IMAGE_TYPES
"""The content types that a caller may name for an upload: those that tasks accept. The consumer checks the
real type by the bytes."""


class Links:
    """Create presigned links, which needs no request to S3."""

    def __init__(self, s3: "S3Client", *, upload_bucket: str, clock: Callable[[], datetime]) -> None:
        self._s3 = s3
        self._upload_bucket = upload_bucket
        self._clock = clock

    def get(self, uri: Any) -> dict[str, str]:
        """Return an `s3://` link with a presigned link to its object; raise ValueError for other values."""
        if not isinstance(uri, str):
            raise ValueError("not a string")  # noqa: TRY004 - any other value raises ValueError
        bucket, key = split_s3_uri(uri)
        url = self._s3.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=LINK_SECONDS
        )
        return {"s3": uri, "url": url, "expires_at": self._expires_at()}

    def upload(self, content_type: str | None) -> dict[str, Any]:
        """Return a form to upload an input image under a name that cannot be guessed, and its `s3://` link.

        S3 refuses a file that is empty or larger than the consumer accepts.
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
