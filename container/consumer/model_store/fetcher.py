"""Copy a file from the bucket to the volume, once, completely and verified."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from container.consumer.model_store.bucket import ModelBucket, ModelFile
from container.consumer.model_store.integrity import StoredObject, defect_of, verify_download
from container.consumer.model_store.transfer import DiskFull, Transfer
from container.consumer.model_store.volume import Volume, VolumeTooSmall
from domain.errors import ErrorCode, PermanentError, RetryableError

MAX_DOWNLOADS: Final = 2
"""How often a download is attempted if the result differs from the object, or if the disk was full."""

_log = logging.getLogger(__name__)


class Fetcher:
    """Copies files from the bucket to the volume; can be used from several threads."""

    def __init__(
        self, bucket: ModelBucket, volume: Volume, transfer: Transfer, *, stop: threading.Event
    ) -> None:
        self.volume = volume
        self._bucket = bucket
        self._transfer = transfer
        self.stop = stop
        self._defects: dict[tuple[str, str], str] = {}

    def ensure(self, file: ModelFile, *, on_bytes: Callable[[int], None] = lambda _: None) -> int:
        """Ensure the bucket's current version of a file is on the volume; return the bytes downloaded.

        Raise NotInBucket, VolumeTooSmall, Stopped, PermanentError (`model_unusable`) or RetryableError.
        """
        self._raise_if_unusable(file)
        if self.volume.has(file):
            self.volume.touch(file)
            return 0
        with self.volume.download_path(file, stop=self.stop) as part:
            if self.volume.has(file):  # another thread or consumer downloaded it meanwhile
                return 0
            self._raise_if_unusable(file)
            stored = self._bucket.stored(file)
            current = replace(file, size=stored.size, etag=stored.etag)
            if self._record_existing_file(current, stored):
                return 0
            started_at = time.monotonic()
            checked = self._fetch(current, stored, part, on_bytes)
            if defect := defect_of(part, name=file.name):
                self.mark_unusable(file, defect)
                self._raise_if_unusable(file)
            self.volume.install(current, part, checked=checked)
            seconds = time.monotonic() - started_at
            rate = stored.size / 1e6 / max(seconds, 1e-6)
            _log.info(
                "fetched %s: %d bytes in %.2f s, %.0f MB/s (%s)",
                file.key,
                stored.size,
                seconds,
                rate,
                checked,
            )
        if current.etag != file.etag:
            self._bucket.forget(file.folder)
        return stored.size

    def mark_unusable(self, file: ModelFile, defect: str) -> None:
        """Record that this version of a file is not a usable model, so that it is not downloaded again."""
        _log.warning("%s is unusable: %s", file.key, defect)
        self._defects[file.key, file.etag] = defect

    def _raise_if_unusable(self, file: ModelFile) -> None:
        if defect := self._defects.get((file.key, file.etag)):
            raise PermanentError(
                ErrorCode.MODEL_UNUSABLE, f"{file.key} in the model bucket is unusable: {defect}."
            )

    def _record_existing_file(self, file: ModelFile, stored: StoredObject) -> bool:
        """Return whether a file is already complete, and then record it.

        It was copied by hand, or by a process that was killed before it could record it.
        """
        path = self.volume.path(file)
        checked = verify_download(path, stored) if path.is_file() else None
        if checked is None or defect_of(path, name=file.name):
            return False
        self.volume.record_existing(file, checked=checked)
        return True

    def _fetch(
        self, file: ModelFile, stored: StoredObject, part: Path, on_bytes: Callable[[int], None]
    ) -> str:
        """Download a file to a temporary place and return what was verified."""
        disk_is_full = False
        for _ in range(MAX_DOWNLOADS):
            self.volume.reserve(file, stop=self.stop, disk_is_full=disk_is_full)
            try:
                self._transfer.fetch(self._bucket.name, file.key, part, on_bytes=on_bytes, stop=self.stop)
            except DiskFull:
                part.unlink(missing_ok=True)
                disk_is_full = True
                continue
            if checked := verify_download(part, stored):
                return checked
            _log.warning("the download of %s differs from the object in S3", file.key)
            part.unlink(missing_ok=True)
        if disk_is_full:
            raise VolumeTooSmall(f"{file.size:,} bytes, and the disk is full", permanent=True)
        text = f"The download of {file.key} differs from the object in the model bucket: size or checksum."
        raise RetryableError(ErrorCode.AWS_UNAVAILABLE, text)
