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
from container.consumer.model_store.volume import NoRoom
from domain.errors import PermanentError, RetryableError
from domain.routing import Runtime
from runtimes.base import RuntimeType, UnknownStartModel

FILES_AT_ONCE: Final = 4
"""Many small files are limited by latency; one large file fills the connection with its parts alone."""

PROGRESS_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class CannotSync(Exception):
    """The reason, in one line, why the engine must not be started."""


@dataclass(frozen=True, slots=True)
class Synced:
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
        self._arrived = 0

    def run(self, runtime: Runtime, folders: Iterable[str] | None = None) -> Synced:
        """Download what is missing and protect all of it from eviction; raise CannotSync.

        Without `folders`, those of the runtime's type are downloaded.
        """
        began = time.monotonic()
        for folder in self._rules.model_folders:
            # The engine must find its folders at its start; files are added to them later.
            (self._fetcher.volume.root / folder).mkdir(parents=True, exist_ok=True)
        try:
            wanted = self._wanted(runtime, self._rules.start_folders if folders is None else folders)
            self._fetcher.volume.pin({file.key for file in wanted})
            done = threading.Event()
            progress = threading.Thread(
                target=self._log_progress, args=(done, sum(f.size for f in wanted)), daemon=True
            )
            progress.start()
            try:
                with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
                    # The largest file comes first, so that small ones do not have to wait for it at the end.
                    fetched = list(pool.map(self._fetch, sorted(wanted, key=lambda f: -f.size)))
            finally:
                done.set()
                progress.join()
            self._fetcher.volume.pin({file.key for file in wanted})
        except (RetryableError, PermanentError) as fault:
            raise CannotSync(fault.message) from None
        except UnknownStartModel as unknown:
            raise CannotSync(str(unknown)) from None
        except NoRoom as error:
            raise CannotSync(f"the volume is too small: {error.message}") from None
        except NotInBucket:
            raise CannotSync("a model was deleted from the model bucket meanwhile") from None
        except OSError as error:
            raise CannotSync(f"MODEL_DIR: {error.strerror}: {error.filename}") from None
        return Synced(len(wanted), sum(map(bool, fetched)), sum(fetched), time.monotonic() - began)

    def _wanted(self, runtime: Runtime, folders: Iterable[str]) -> list[ModelFile]:
        wanted = {file.key: file for folder in folders for file in self._bucket.files(folder).values()}
        for one in self._rules.start_files(runtime, self._bucket.files):
            file = self._bucket.files(one.folder)[one.name]
            wanted[file.key] = file
        return list(wanted.values())

    def _fetch(self, file: ModelFile) -> int:
        return self._fetcher.ensure(file, on_bytes=self._count)

    def _count(self, number: int) -> None:
        with self._lock:
            self._arrived += number

    def _log_progress(self, done: threading.Event, total: int) -> None:
        began = time.monotonic()
        while not done.wait(PROGRESS_SECONDS):
            rate = self._arrived / 1e6 / (time.monotonic() - began)
            _log.info("models: %d of at most %d bytes downloaded, %.0f MB/s", self._arrived, total, rate)
