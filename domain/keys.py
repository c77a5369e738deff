"""Keys of S3 objects, and of rows that are no tasks."""

import re
from dataclasses import dataclass
from typing import Final

SUBMISSION_METADATA: Final = "submission_id"
"""Metadata key, on every S3 object stored for a task, of the submission that wrote it."""

CONTENT_PREFIX: Final = "content/"
ARCHIVE_PREFIX: Final = "dead-letters/"
"""Prefix of archived dead letters in the large-task bucket."""

REPORT_PREFIX: Final = "catalogue/"
"""Prefix of what workers report of their engines, in the large-task bucket."""

_KIND: Final = re.compile(r"-([a-z]+)-\d+\.[a-z0-9]+\Z")
_TAIL: Final = re.compile(r"(-([a-z]+-)?\d+\.[a-z0-9]+|\.out)")


@dataclass(frozen=True, slots=True)
class OutputKeys:
    """Keys of the objects of one task; the fence in a key identifies the claim that wrote the object."""

    prefix: str
    id: str

    @property
    def folder(self) -> str:
        """Return `PREFIX/ID`, without a trailing slash."""
        return f"{self.prefix}/{self.id}"

    def location(self, bucket: str) -> str:
        """Return the `output_location` of an API response."""
        return s3_uri(bucket, self.folder)

    def image(self, fence: str, number: int, extension: str) -> str:
        """Return the key of an image; `number` counts from 1."""
        return f"{self.fence_prefix(fence)}-{number}.{extension}"

    def other_image(self, fence: str, kind: str, number: int, extension: str) -> str:
        """Return the key of an image that is no result, such as a grid or a detected map."""
        return f"{self.fence_prefix(fence)}-{kind}-{number}.{extension}"

    def output_document(self, fence: str) -> str:
        """Return the key of the output document: the engine's response and the receipts."""
        return f"{self.fence_prefix(fence)}.out"

    def could_have_written(self, fence: str, key: str) -> bool:
        """Return whether a worker with this fence could have written `key`."""
        start = self.fence_prefix(fence)
        return key.startswith(start) and bool(_TAIL.fullmatch(key, len(start)))

    def fence_prefix(self, fence: str) -> str:
        """Return the common beginning of all keys of this fence."""
        return f"{self.folder}/{self.id}-{fence}"


def kind_of(key: str) -> str:
    """Return the kind of an image that is no result, from its key (`OutputKeys.other_image`)."""
    found = _KIND.search(key)
    return found[1] if found else "other"


def content_key(task_id: str, submission_id: str) -> str:
    """Return the key, in the large-task bucket, of content that is too large for SNS."""
    return f"{CONTENT_PREFIX}{task_id}/{submission_id}.json"


def archive_key(day: str, runtime: str, message_id: str) -> str:
    """Return the key, in the large-task bucket, of an archived dead letter; `day` is `YYYY-MM-DD`."""
    return f"{ARCHIVE_PREFIX}{day}/{runtime}/{message_id}.json"


def report_key(runtime: str) -> str:
    """Return the key, in the large-task bucket, of the report of a runtime's engine."""
    return f"{REPORT_PREFIX}{runtime}.json"


def s3_uri(bucket: str, key: str) -> str:
    """Return `s3://BUCKET/KEY`."""
    return f"s3://{bucket}/{key}"


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Split an `s3://` link into bucket and key; raise ValueError if it is not such a link."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not bucket or not key:
        raise ValueError("not an s3://BUCKET/KEY link")
    return bucket, key


def starting_partition(runtime: str) -> str:
    """Return the partition, in the index of pending rows, with the workers of a runtime that are starting."""
    return f"#starting#{runtime}"


def workers_partition(runtime: str) -> str:
    """Return the partition, in the index of pending rows, with the workers of a runtime."""
    return f"#workers#{runtime}"
