"""Names of objects in S3."""

import re
from dataclasses import dataclass
from typing import Final

SUBMISSION_METADATA: Final = "submission_id"
"""The S3 metadata of every object stored for a task: which submission's it is."""

CONTENT_PREFIX: Final = "content/"
ARCHIVE_PREFIX: Final = "dead-letters/"
"""In the large-task bucket: what dead-lettered messages lie under."""

_TAIL: Final = re.compile(r"(-([a-z]+-)?\d+\.[a-z0-9]+|\.out)")


@dataclass(frozen=True, slots=True)
class OutputKeys:
    """Name the objects of one task; the fence in a name says which worker wrote it."""

    prefix: str
    id: str

    @property
    def folder(self) -> str:
        """Return `PREFIX/ID`, without a trailing slash."""
        return f"{self.prefix}/{self.id}"

    def location(self, bucket: str) -> str:
        """Return the `output_location` of the API's answer."""
        return s3_uri(bucket, self.folder)

    def image(self, fence: str, number: int, extension: str) -> str:
        """Return the key of picture `number`, which counts from 1."""
        return f"{self.under(fence)}-{number}.{extension}"

    def beside(self, fence: str, kind: str, number: int, extension: str) -> str:
        """Return the key of what came beside the pictures: a grid, a map."""
        return f"{self.under(fence)}-{kind}-{number}.{extension}"

    def out(self, fence: str) -> str:
        """Return the key of Web UI's answer and the receipts."""
        return f"{self.under(fence)}.out"

    def wrote(self, fence: str, key: str) -> bool:
        """Tell whether `key` is one that a worker with this fence writes."""
        return key.startswith(self.under(fence)) and bool(_TAIL.fullmatch(key, len(self.under(fence))))

    def under(self, fence: str) -> str:
        """Return what every key of this fence begins with."""
        return f"{self.folder}/{self.id}-{fence}"


def content_key(task_id: str, submission_id: str) -> str:
    """Return the key, in the large-task bucket, of content that SNS cannot carry."""
    return f"{CONTENT_PREFIX}{task_id}/{submission_id}.json"


def archive_key(day: str, runtime: str, message_id: str) -> str:
    """Return the key, in the large-task bucket, of a dead-lettered message; `day` is `YYYY-MM-DD`."""
    return f"{ARCHIVE_PREFIX}{day}/{runtime}/{message_id}.json"


def s3_uri(bucket: str, key: str) -> str:
    """Return `s3://BUCKET/KEY`."""
    return f"s3://{bucket}/{key}"


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an `s3://` link; raise ValueError when it is none."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not bucket or not key:
        raise ValueError("not an s3://BUCKET/KEY link")
    return bucket, key
