"""Read `s3://` links with the task's role."""

from contextlib import closing
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from adapters.public_http.allowance import Allowance
from adapters.public_http.errors import InputError, blocked, too_large, unavailable
from adapters.public_http.links import S3Link
from container.consumer.inputs.limits import Limits

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1024 * 1024
FORBIDDEN = 403
MISSING_OBJECT_ERRORS = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"})
ARCHIVED_OBJECT_ERROR = "InvalidObjectState"
CREDENTIAL_ERRORS = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
"""S3 reports these as 403 too, but they are temporary: they end when the role's credentials are renewed."""


class Objects:
    """Reads objects of the buckets that links may name; can be used from several threads."""

    def __init__(self, client: "S3Client", buckets: frozenset[str], *, limits: Limits) -> None:
        self._client = client
        self._buckets = buckets
        self._limits = limits

    def may_read(self, link: S3Link) -> bool:
        """Return whether the object is in a bucket that links may name."""
        return link.bucket in self._buckets

    def fetch(self, link: S3Link, allowance: Allowance) -> bytes:
        """Return the object's content.

        Errors of S3 itself (throttling, 5xx, no connection) are raised as botocore's, because they are
        temporary and not the link's fault.
        """
        if not self.may_read(link):
            raise blocked("this service does not read inputs from its bucket")
        try:
            response = self._client.get_object(Bucket=link.bucket, Key=link.key)
        except ClientError as error:
            input_error = _input_error(error)
            if input_error is None:
                raise
            raise input_error from None
        deadline = allowance.deadline(self._limits.total_seconds)
        data = bytearray()
        with closing(response["Body"]) as body:
            if response["ContentLength"] > self._limits.download_bytes:
                raise too_large(f"{self._limits.download_bytes:,} bytes are allowed")
            try:
                for chunk in body.iter_chunks(CHUNK_BYTES):  # botocore raises if it ends early
                    data += chunk
                    allowance.count_bytes(len(chunk))
                    deadline.step_seconds()
                    allowance.check()
            except TimeoutError:
                raise unavailable("reading the object took too long") from None
        return bytes(data)


def _input_error(error: ClientError) -> InputError | None:
    """Return the error to report for a link, or None if S3 failed and another attempt may succeed."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in MISSING_OBJECT_ERRORS:
        return unavailable("there is no such object")
    if code == ARCHIVED_OBJECT_ERROR:
        return unavailable("the object is archived")
    # S3 also responds 403 for a missing object if the role lacks s3:ListBucket.
    if status == FORBIDDEN and code not in CREDENTIAL_ERRORS:
        return blocked("S3 does not let this service read the object")
    return None
