"""The model bucket; its listings are cached for a while, so that a missing file costs no request either."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from container.consumer.model_store.integrity import StoredObject
from domain.errors import ErrorCode, RetryableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOOKUP_SECONDS: Final = 60.0
"""How long a listing is used: an upload is noticed within this time, and wrong names cost one listing per
interval."""

FAILURE_SECONDS: Final = 5.0
"""How long no request is sent after S3 did not respond, because each call takes as long as all of botocore's
attempts."""

MAX_SEGMENT_BYTES: Final = 255
"""The longest file name of Linux's file systems."""

_MISSING_CODES: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_log = logging.getLogger(__name__)


class NotInBucket(Exception):
    """An object is no longer in the bucket."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file in the bucket; `name` is relative to `folder`."""

    folder: str
    name: str
    size: int
    etag: str

    @property
    def key(self) -> str:
        """Return the object's key, which is also the path on the volume."""
        return f"{self.folder}/{self.name}"


class ModelBucket:
    """Looks models up by folder; can be used from several threads."""

    def __init__(
        self,
        s3: "S3Client",
        bucket: str,
        *,
        lookup_seconds: float = LOOKUP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = bucket
        self._s3 = s3
        self._lookup_seconds = lookup_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._folders: dict[str, tuple[float, Mapping[str, ModelFile]]] = {}
        self._failure: tuple[float, Exception] | None = None

    def files(self, folder: str) -> Mapping[str, ModelFile]:
        """Return a folder's files by name; raise RetryableError if S3 does not respond."""
        with self._lock:  # threads that ask at the same time share one request
            listing = self._folders.get(folder)
            if listing is None or self._clock() - listing[0] >= self._lookup_seconds:
                listing = self._folders[folder] = (self._clock(), self._list_unless_failing(folder))
            return listing[1]

    def forget(self, folder: str) -> None:
        """Discard the listing of a folder."""
        with self._lock:
            self._folders.pop(folder, None)

    def stored(self, file: ModelFile) -> StoredObject:
        """Return how S3 stores a file, with its checksums; raise NotInBucket or RetryableError."""
        try:
            head = self._s3.head_object(Bucket=self.name, Key=file.key, ChecksumMode="ENABLED")
            part: Any = {}
            if StoredObject.needs_part_size(head):
                part = self._s3.head_object(Bucket=self.name, Key=file.key, PartNumber=1)
        except (ClientError, BotoCoreError) as error:
            raise bucket_error(error) from error
        return StoredObject.of(head, part)

    def beginning(self, file: ModelFile, size: int) -> bytes:
        """Return a file's first bytes, none if it was deleted or is empty; raise RetryableError."""
        if not file.size:
            return b""
        try:
            answer = self._s3.get_object(Bucket=self.name, Key=file.key, Range=f"bytes=0-{size - 1}")
            return answer["Body"].read()
        except (ClientError, BotoCoreError) as error:
            fault = bucket_error(error)
            if isinstance(fault, NotInBucket):
                return b""
            raise fault from error

    def _list_unless_failing(self, folder: str) -> dict[str, ModelFile]:
        if self._failure is not None and self._clock() - self._failure[0] < FAILURE_SECONDS:
            raise self._failure[1]
        try:
            return self._list(folder)
        except RetryableError as fault:
            self._failure = self._clock(), fault
            raise

    def _list(self, folder: str) -> dict[str, ModelFile]:
        files: dict[str, ModelFile] = {}
        prefix = f"{folder}/"
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(prefix)
                    if _is_model_name(name):
                        files[name] = ModelFile(folder, name, entry["Size"], entry["ETag"].strip('"'))
        except (ClientError, BotoCoreError) as error:
            raise bucket_error(error, listing=True) from error
        _log.debug("model bucket: %d files in %s", len(files), folder)
        return files


def bucket_error(error: Exception, *, listing: bool = False) -> Exception:
    """Return NotInBucket for an object that does not exist, and a retryable error for any other failure."""
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    if code in _MISSING_CODES and not listing:
        return NotInBucket()
    return RetryableError(
        ErrorCode.AWS_UNAVAILABLE, f"The model bucket did not answer: {code or type(error).__name__}."
    )


def _is_model_name(name: str) -> bool:
    """Return whether a key can be a path below its folder; S3 allows any key, even one with `..`."""
    return "\0" not in name and all(
        part not in ("", ".", "..") and len(part.encode()) <= MAX_SEGMENT_BYTES for part in name.split("/")
    )
