"""Presigned links with which anyone can download an object for some time."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from domain.clock import iso_after
from domain.keys import split_s3_uri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINK_SECONDS: Final = 3600
"""A link also expires with the credentials of the function, which are valid for hours."""


class PresignedLinks:
    """Create presigned links, which needs no request to S3."""

    def __init__(self, s3: "S3Client", *, clock: Callable[[], datetime]) -> None:
        self._s3 = s3
        self._clock = clock

    def get(self, uri: Any) -> dict[str, str]:
        """Return an `s3://` link with a presigned link to its object; raise ValueError for other values."""
        if not isinstance(uri, str):
            raise ValueError("not a string")  # noqa: TRY004 - any other value raises ValueError
        bucket, key = split_s3_uri(uri)
        url = self._s3.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=LINK_SECONDS
        )
        return {"s3": uri, "url": url, "expires_at": iso_after(self._clock(), LINK_SECONDS)}
