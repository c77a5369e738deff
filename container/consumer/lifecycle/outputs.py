"""Store what a job produced in the output bucket: its files and the output document (`.out`)."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from adapters.table import Table
from container.consumer.conversion.converter import Converter
from container.consumer.engines.base import Artifact, Json, Result
from container.consumer.inputs.images import Sniffed, sniff
from container.consumer.job import Job, LeaseLost
from domain.delivery import orphaned_objects
from domain.errors import ErrorCode, Fault, RetryableError
from domain.keys import SUBMISSION_METADATA, s3_uri
from domain.protocol import replace_fence
from domain.row import Row, new_fence

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PARALLEL_UPLOADS: Final = 4
"""Also the number of decoded images in memory at the same time."""

MAX_RESPONSE_CHARACTERS: Final = 16 * 1024
"""How much of the engine's response the output document of a failed task contains."""

# S3's responses to `If-None-Match: *`: the object exists (412), or a concurrent write that can be retried
# (409).
PRECONDITION_FAILED: Final = 412
CONFLICT: Final = 409
CONFLICT_PAUSES_SECONDS: Final = (0.1, 0.3, 1.0, 3.0)
"""Pauses before a conflicting write is sent again; after that, AWS counts as unavailable."""

OUTPUT_OPTIONS: Final = "/metadata/output"
"""The pointer of warnings about the format of files; other pointers are relative to the content."""

MAX_FENCES: Final = 5
"""Fences are random. If the keys under so many of them are taken, a new one will not help either."""


class KeyTaken(Exception):
    """An object with this key exists already, and another submission has written it."""


@dataclass(slots=True)
class Stored:
    """The objects that were stored for a task."""

    images: list[str] = field(default_factory=list)
    """S3 URIs of the requested images."""
    other_images: list[str] = field(default_factory=list)
    """S3 URIs of additional images, such as grids."""
    output: str | None = None
    """S3 URI of the output document."""
    keys: list[str] = field(default_factory=list)
    """The keys of all of them, so that they can be removed."""


class Store:
    """Writes a task's objects under its fence; existing objects are never overwritten."""

    def __init__(self, s3: "S3Client", bucket: str, table: Table, converter: Converter) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._table = table
        self._converter = converter
        self._pool = ThreadPoolExecutor(PARALLEL_UPLOADS, thread_name_prefix="upload")

    def store_result(self, job: Job, result: Result) -> Stored:
        """Store the artifacts, then the output document with a receipt for each."""
        known_warnings = [*job.warnings, *result.warnings]

        def write(stored: Stored, fence: str) -> None:
            uploads = [
                self._pool.submit(self._write_artifact, job, stored, fence, artifact, number)
                for artifact, number in _numbered(result.artifacts)
            ]
            wait(uploads)  # waits for all of them even if one fails, so that everything can be removed
            results = [upload.result() for upload in uploads]
            receipts = [receipt for receipt, _ in results]
            warnings = dict.fromkeys((*known_warnings, *(fault for _, faults in results for fault in faults)))
            for receipt, artifact in zip(receipts, result.artifacts, strict=True):
                uris = stored.other_images if artifact.number is None else stored.images
                uris.append(s3_uri(self._bucket, receipt["key"]))
            document = result.document | {"images": receipts, "seconds": _rounded(job.stage_seconds)}
            if warnings:
                document["warnings"] = [warning.as_dict() for warning in warnings]
            self._write_document(job, stored, fence, document)

        return self._under_fence(job, write)

    def store_failure(self, job: Job, error: Mapping[str, str], response: Any) -> Stored:
        """Store the output document of a failed task: the error and part of the engine's response."""
        text = json.dumps(response)
        if len(text) > MAX_RESPONSE_CHARACTERS:
            response = {"cut": text[:MAX_RESPONSE_CHARACTERS]}
        seconds = _rounded(job.stage_seconds)
        document: dict[str, Any] = {"error": error, "response": response, "images": [], "seconds": seconds}
        return self._under_fence(
            job, lambda stored, fence: self._write_document(job, stored, fence, document)
        )

    def remove(self, stored: Stored) -> None:
        """Delete everything that was stored."""
        for key in stored.keys:
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def discard(self, job: Job, stored: Stored, row: Row | None) -> None:
        """Delete what was stored for a refused final write, except for objects that the row names.

        An earlier final write of this worker may have succeeded although its response was lost.
        """
        keys = {s3_uri(self._bucket, key): key for key in stored.keys}
        for uri in orphaned_objects(row, job.row.submission_id, keys, finish_sent=True):
            self._s3.delete_object(Bucket=self._bucket, Key=keys[uri])

    def _under_fence(self, job: Job, write: Callable[[Stored, str], None]) -> Stored:
        """Write under the row's fence, or under a new fence if a key is taken."""
        for _ in range(MAX_FENCES):
            stored = Stored()
            try:
                job.check_lease()
                write(stored, job.row.fence or "")
            except KeyTaken:
                self.remove(stored)
                replaced = self._table.write(job.id, replace_fence(job.row, fence=new_fence()))
                if replaced.done and replaced.row is not None:
                    job.row = replaced.row
                elif replaced.row is None or replaced.row.fence != job.row.fence:
                    raise LeaseLost(job.id) from None
            except BaseException:
                self.remove(stored)
                raise
            else:
                return stored
        text = f"Objects of other tasks have the keys of this task's outputs, under {MAX_FENCES} fences."
        raise RetryableError(ErrorCode.AWS_UNAVAILABLE, text)

    def _write_artifact(
        self, job: Job, stored: Stored, fence: str, artifact: Artifact, number: int
    ) -> tuple[Json, list[Fault]]:
        """Store a file; return its receipt, and how the file differs from what was asked for."""
        original, task = artifact.data(), job.message.task
        converted = self._converter.apply(original, task.output)
        data = converted.data
        image = sniff(data)
        extension, content_type = _type_of(image)
        if artifact.number is None:
            key = task.keys.other_image(fence, artifact.kind, number, extension)
        else:
            key = task.keys.image(fence, number, extension)
        self._put(job, stored, key, data, content_type)
        receipt: Json = {
            "key": key,
            **_digest(data),
            "content_type": content_type,
            "width": image.width if image else None,
            "height": image.height if image else None,
        }
        if data is not original:
            receipt["original"] = _digest(original) | {"content_type": _type_of(sniff(original))[1]}
        warnings = [Fault(OUTPUT_OPTIONS, warning) for warning in converted.warnings]
        return receipt | artifact.receipt, warnings

    def _write_document(self, job: Job, stored: Stored, fence: str, document: Mapping[str, Any]) -> None:
        key = job.message.task.keys.output_document(fence)
        self._put(job, stored, key, json.dumps(document).encode(), "application/json")
        stored.output = s3_uri(self._bucket, key)

    def _put(self, job: Job, stored: Stored, key: str, data: bytes, content_type: str) -> None:
        for pause in (*CONFLICT_PAUSES_SECONDS, None):
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=data,
                    ContentType=content_type,
                    IfNoneMatch="*",
                    Metadata={SUBMISSION_METADATA: job.row.submission_id},
                )
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if status == CONFLICT and pause is not None:
                    time.sleep(pause)
                    continue
                # botocore sends a write again if its response was lost, so the existing object may be our
                # own.
                if status != PRECONDITION_FAILED or not self._is_own_object(job, key):
                    raise KeyTaken(key) if status == PRECONDITION_FAILED else error from None
            stored.keys.append(key)
            return

    def _is_own_object(self, job: Job, key: str) -> bool:
        existing = self._s3.head_object(Bucket=self._bucket, Key=key)
        return existing["Metadata"].get(SUBMISSION_METADATA) == job.row.submission_id


def _numbered(artifacts: Sequence[Artifact]) -> Iterator[tuple[Artifact, int]]:
    """Yield each artifact with its number; artifacts without one are counted per kind."""
    counts: Counter[str] = Counter()
    for artifact in artifacts:
        if artifact.number is not None:
            yield artifact, artifact.number
        else:
            counts[artifact.kind] += 1
            yield artifact, counts[artifact.kind]


def _type_of(image: Sniffed | None) -> tuple[str, str]:
    """Return the file extension and the content type of a file."""
    return (image.extension, image.content_type) if image else ("bin", "application/octet-stream")


def _digest(data: bytes) -> Json:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(value, 3) for stage, value in seconds.items()}
