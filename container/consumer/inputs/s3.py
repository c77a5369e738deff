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
MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"})
ARCHIVED = "InvalidObjectState"
OUR_CREDENTIALS = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
"""Also reported as 403, but not the link's fault: they disappear when the role's credentials are renewed."""


class Objects:
    """Reads objects of the buckets that links may name; can be used from several threads."""

    def __init__(self, client: "S3Client", buckets: frozenset[str], *, limits: Limits) -> None:
        self._client = client
        self._buckets = buckets
        self._limits = limits

    def reads(self, link: S3Link) -> bool:
        """Return whether the object is in a bucket that links may name."""
        return link.bucket in self._buckets

    def fetch(self, link: S3Link, allowance: Allowance) -> bytes:
        """Return the object's content.

        Errors of S3 itself (throttling, 5xx, no connection) are raised as botocore's, because they are
        temporary and not the link's fault.
        """
        if not self.reads(link):
            raise blocked("its bucket is none that this service reads inputs from")
        try:
            answer = self._client.get_object(Bucket=link.bucket, Key=link.key)
        except ClientError as error:
            fault = _fault_of_link(error)
            if fault is None:
                raise
            raise fault from None
        deadline = allowance.deadline(self._limits.total_seconds)
        data = bytearray()
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > self._limits.max_bytes:
                raise too_large(f"{self._limits.max_bytes:,} bytes are allowed")
            try:
                for chunk in body.iter_chunks(CHUNK_BYTES):  # botocore raises if it ends early
                    data += chunk
                    allowance.spend(len(chunk))
                    deadline.within()
                    allowance.check()
            except TimeoutError:
                raise unavailable("reading the object took too long") from None
        return bytes(data)


def _fault_of_link(error: ClientError) -> InputError | None:
    """Return the error of a link, or None if the error is S3's."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in MISSING:
        return unavailable("there is no such object")
    if code == ARCHIVED:
        return unavailable("the object is archived")
    # S3 also responds 403 for a missing object if the role lacks s3:ListBucket.
    if status == FORBIDDEN and code not in OUR_CREDENTIALS:
        return blocked("S3 does not let this service read the object")
    return None
