"""The bucket with the models: list it, and upload to it in parts, which are sent once."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from sd_on_ecs.aws import aws_errors
from sd_on_ecs.errors import InputError

PART_BYTES: Final = 16 * 1024 * 1024
PARALLEL: Final = 4
NO_MODELS: Final = {
    b"<": "it is a web page; a host that wants a login needs --header 'Authorization: Bearer …'",
    b"version https://git-lfs": "it is a pointer of Git LFS and not the file itself",
}
"""What is often downloaded instead of a model, by how it begins; an engine would fail on it."""


class Model(TypedDict):
    """A file in the bucket."""

    folder: str
    name: str
    bytes: int
    modified_at: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What an upload has stored; `skipped_bytes` were there from an earlier one."""

    key: str
    bytes: int
    sha256: str
    skipped_bytes: int


class ModelBucket:
    """Lists and uploads models with a client of S3."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def list(self, folder: str | None = None) -> Iterator[Model]:
        """Yield the models, or those in a folder, sorted by their keys."""
        prefix = f"{folder}/" if folder else ""
        with aws_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for entry in page.get("Contents", []):
                    found, _, name = entry["Key"].partition("/")
                    if name:
                        modified = entry["LastModified"].isoformat(timespec="seconds")
                        yield Model(folder=found, name=name, bytes=entry["Size"], modified_at=modified)

    def size(self, key: str) -> int | None:
        """Return the size of a model, or None if the bucket does not have it."""
        with aws_errors():
            found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        return next((int(entry["Size"]) for entry in found if entry["Key"] == key), None)

    def upload(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        sha256: str | None = None,
        on_progress: Callable[[int], None] = lambda _count: None,
    ) -> Uploaded:
        """Store a model; call `on_progress` with the number of bytes that were stored since its last call.

        S3 checks each part by its checksum. If an earlier upload of this key was interrupted, only the parts
        that it lacks, or that have changed, are sent. With `sha256`, nothing else is stored.
        """
        with aws_errors():
            upload_id, known = self._begin(key)
            target = {"Bucket": self._bucket, "Key": key, "UploadId": upload_id}
            sending = _Sending(self._s3, target, known, on_progress)
            digest, size = hashlib.sha256(), 0
            with ThreadPoolExecutor(PARALLEL) as pool:
                for number, part in enumerate(_parts(chunks), 1):
                    if number == 1:
                        _refuse_other_content(part)
                    digest.update(part)
                    size += len(part)
                    sending.add(pool, number, part)
                parts = sending.wait()
            found = digest.hexdigest()
            if size == 0 or (sha256 is not None and found != sha256.lower()):
                self._s3.abort_multipart_upload(**target)
                reason = "is empty" if size == 0 else f"has the SHA-256 {found} and not {sha256}"
                raise InputError(f"nothing was stored: the content {reason}")
            self._s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
        return Uploaded(key, size, found, sending.skipped)

    def _begin(self, key: str) -> tuple[str, dict[int, dict[str, Any]]]:
        """Return the id of the last interrupted upload of a key with its parts, or of a new one."""
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=key)
        begun = [one for page in pages for one in page.get("Uploads", []) if one["Key"] == key]
        for upload in sorted(begun, key=lambda one: one["Initiated"], reverse=True):
            listed = self._s3.get_paginator("list_parts").paginate(
                Bucket=self._bucket, Key=key, UploadId=upload["UploadId"]
            )
            parts = {part["PartNumber"]: part for page in listed for part in page.get("Parts", [])}
            if all("ChecksumSHA256" in part for part in parts.values()):
                return upload["UploadId"], parts
        begun_now = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, ChecksumAlgorithm="SHA256")
        return begun_now["UploadId"], {}


class _Sending:
    """Sends the parts of one upload, a few at the same time."""

    def __init__(
        self,
        s3: Any,
        target: Mapping[str, str],
        known: Mapping[int, dict[str, Any]],
        on_progress: Callable[[int], None],
    ) -> None:
        self._s3 = s3
        self._target = target
        self._known = known
        self._on_progress = on_progress
        self._parts: list[Future[dict[str, Any]]] = []
        # Bounds how much of the content is in memory.
        self._free = threading.BoundedSemaphore(PARALLEL + 1)
        self.skipped = 0

    def add(self, pool: ThreadPoolExecutor, number: int, part: bytes) -> None:
        """Send a part unless it is there; raise the error of an earlier one."""
        checksum = base64.b64encode(hashlib.sha256(part).digest()).decode()
        known = self._known.get(number)
        if known and (known["Size"], known["ChecksumSHA256"]) == (len(part), checksum):
            self.skipped += len(part)
            done: Future[dict[str, Any]] = Future()
            done.set_result({"PartNumber": number, "ETag": known["ETag"], "ChecksumSHA256": checksum})
            self._parts.append(done)
            self._on_progress(len(part))
            return
        self._free.acquire()
        for earlier in self._parts[-2 * PARALLEL :]:
            if earlier.done():
                earlier.result()
        self._parts.append(pool.submit(self._send, number, part, checksum))

    def wait(self) -> list[dict[str, Any]]:
        """Return what completes the upload."""
        return [part.result() for part in self._parts]

    def _send(self, number: int, part: bytes, checksum: str) -> dict[str, Any]:
        try:
            sent = self._s3.upload_part(**self._target, PartNumber=number, Body=part, ChecksumSHA256=checksum)
        finally:
            self._free.release()
        self._on_progress(len(part))
        return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": checksum}


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content in parts of equal size, but for the last one."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= PART_BYTES:
            yield bytes(buffer[:PART_BYTES])
            del buffer[:PART_BYTES]
    if buffer:
        yield bytes(buffer)


def _refuse_other_content(start: bytes) -> None:
    for beginning, reason in NO_MODELS.items():
        if start.lstrip()[: len(beginning)] == beginning:
            raise InputError(f"nothing was stored: {reason}")
