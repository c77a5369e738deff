"""Presigned links to download outputs and to upload inputs."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from adapters.presigned import LINK_SECONDS, PresignedLinks
from domain.clock import iso_after
from domain.keys import s3_uri
from runtimes.media import AUDIO_TYPES, IMAGE_TYPES, OTHER_NAMES_OF_TYPES, VIDEO_TYPES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_UPLOAD_BYTES: Final = 32 * 1024 * 1024
"""The consumer's size limit for one image."""

MEDIA_TYPES: Final = VIDEO_TYPES | AUDIO_TYPES | OTHER_NAMES_OF_TYPES
UPLOAD_TYPES: Final = IMAGE_TYPES | MEDIA_TYPES
"""The content types that a caller may name for an upload: those that tasks accept, videos and sounds those of
ComfyUI. The consumer checks the real type by the bytes."""


class Links(PresignedLinks):
    """Create presigned links to outputs, and forms for uploads, which needs no request to S3."""

    def __init__(
        self, s3: "S3Client", *, upload_bucket: str, media_bytes: int, clock: Callable[[], datetime]
    ) -> None:
        super().__init__(s3, clock=clock)
        self._upload_bucket = upload_bucket
        self._media_bytes = media_bytes

    def upload(self, content_type: str | None) -> dict[str, Any]:
        """Return a form to upload an input file under a name that cannot be guessed, and its `s3://` link.

        S3 refuses a file that is empty or larger than the consumer accepts.
        """
        day = self._clock().date().isoformat()
        key = f"{day}/{secrets.token_hex(16)}{UPLOAD_TYPES.get(content_type or '', '')}"
        fields = {"Content-Type": content_type} if content_type else {}
        max_bytes = self._media_bytes if content_type in MEDIA_TYPES else MAX_UPLOAD_BYTES
        conditions: list[Any] = [["content-length-range", 1, max_bytes], *([fields] if fields else [])]
        form = self._s3.generate_presigned_post(
            self._upload_bucket, key, Fields=dict(fields), Conditions=conditions, ExpiresIn=LINK_SECONDS
        )
        return {
            "method": "POST",
            "url": form["url"],
            "fields": form["fields"],
            "s3": s3_uri(self._upload_bucket, key),
            "expires_at": iso_after(self._clock(), LINK_SECONDS),
        }
