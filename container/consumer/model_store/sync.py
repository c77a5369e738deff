"""Download what the engine needs at its start: its own models and whole folders."""

import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from container.consumer.model_store.bucket import ModelBucket, ModelFile, NotInBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.volume import VolumeTooSmall
from domain.errors import PermanentError, RetryableError
from domain.routing import Runtime
from runtimes.base import RuntimeType, UnknownStartModel

FILES_AT_ONCE: Final = 4
"""Small files are limited by latency, so several are downloaded at a time; the parts of one large file fill
the connection by themselves."""

PROGRESS_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class CannotSync(Exception):
    """Models could not be provided, so the engine must not start; the message is one line with the reason."""


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """The result of a run."""

    files: int
    fetched: int
    bytes: int
    seconds: float

    def __str__(self) -> str:
        """Return the summary line."""
        rate = self.bytes / 1e6 / max(self.seconds, 1e-6)
        return (
            f"sync-models: {self.files} files, {self.fetched} fetched, "
            f"{self.bytes} bytes in {self.seconds:.2f} s, {rate:.0f} MB/s"
        )


class Sync:
    """Downloads a runtime's own models and whole folders, except for files that exist and are unchanged."""

    def __init__(self, bucket: ModelBucket, fetcher: Fetcher, rules: RuntimeType) -> None:
        self._bucket = bucket
        self._fetcher = fetcher
        self._rules = rules
        self._lock = threading.Lock()
        self._downloaded_bytes = 0

    def run(self, runtime: Runtime, folders: Iterable[str] | None = None) -> SyncSummary:
        """Download what is missing and protect all of it from eviction; raise CannotSync.

        Without `folders`, those of the runtime's type are downloaded.
        """
        started_at = time.monotonic()
        for folder in self._rules.model_folders:
            # The engine must find its folders at its start; files are added to them later.
            (self._fetcher.volume.root / folder).mkdir(parents=True, exist_ok=True)
        try:
            files = self._files_to_sync(runtime, self._rules.start_folders if folders is None else folders)
            self._fetcher.volume.pin({file.key for file in files})
            done = threading.Event()
            progress = threading.Thread(
                target=self._log_progress, args=(done, sum(file.size for file in files)), daemon=True
            )
            progress.start()
            try:
                with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
                    # The largest file comes first, so that small ones do not have to wait for it at the end.
                    fetched = list(pool.map(self._fetch, sorted(files, key=lambda file: -file.size)))
            finally:
                done.set()
                progress.join()
            self._fetcher.volume.pin({file.key for file in files})
        except (RetryableError, PermanentError) as fault:
            raise CannotSync(fault.message) from None
        except UnknownStartModel as unknown:
            raise CannotSync(str(unknown)) from None
        except VolumeTooSmall as error:
            raise CannotSync(f"the volume is too small: {error.message}") from None
        except NotInBucket:
            raise CannotSync("a model was deleted from the model bucket during the download") from None
        except OSError as error:
            raise CannotSync(f"MODEL_DIR: {error.strerror}: {error.filename}") from None
        return SyncSummary(len(files), sum(map(bool, fetched)), sum(fetched), time.monotonic() - started_at)

    def _files_to_sync(self, runtime: Runtime, folders: Iterable[str]) -> list[ModelFile]:
        files = {file.key: file for folder in folders for file in self._bucket.files(folder).values()}
        for start_file in self._rules.start_files(runtime, self._bucket.files):
            file = self._bucket.files(start_file.folder)[start_file.name]
            files[file.key] = file
        return list(files.values())

    def _fetch(self, file: ModelFile) -> int:
        return self._fetcher.ensure(file, on_bytes=self._count)

    def _count(self, number: int) -> None:
        with self._lock:
            self._downloaded_bytes += number

    def _log_progress(self, done: threading.Event, total: int) -> None:
        started_at = time.monotonic()
        while not done.wait(PROGRESS_SECONDS):
            rate = self._downloaded_bytes / 1e6 / (time.monotonic() - started_at)
            _log.info(
                "models: %d of at most %d bytes downloaded, %.0f MB/s", self._downloaded_bytes, total, rate
            )
