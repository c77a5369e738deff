"""Download what SD Web UI needs at its start: the static checkpoint and whole folders."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from container.consumer.model_store.bucket import ModelBucket, ModelFile, NotInBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.volume import NoRoom
from domain.errors import PermanentError, RetryableError
from runtimes.sdwebui.model_names import CHECKPOINT_FOLDER, KNOWN_FOLDERS, Ambiguous, Kind, match, nearest

FILES_AT_ONCE: Final = 4
"""Many small files are limited by latency; one large file fills the connection with its parts alone."""

PROGRESS_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class CannotSync(Exception):
    """The reason, in one line, why SD Web UI must not be started."""


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
    """Downloads the static checkpoint and whole folders, except for files that exist and are unchanged."""

    def __init__(self, bucket: ModelBucket, fetcher: Fetcher) -> None:
        self._bucket = bucket
        self._fetcher = fetcher
        self._lock = threading.Lock()
        self._arrived = 0

    def run(self, *, own: Mapping[str, str], folders: Iterable[str]) -> Synced:
        """Download what is missing and protect all of it from eviction; raise CannotSync.

        `own` maps settings to the runtime's checkpoints that they name, "" for none.
        """
        began = time.monotonic()
        for folder in KNOWN_FOLDERS:
            # SD Web UI must find its folders at its start; files are added to them later.
            (self._fetcher.volume.root / folder).mkdir(parents=True, exist_ok=True)
        try:
            wanted = self._wanted(own, folders)
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
        except NoRoom as error:
            raise CannotSync(f"the volume is too small: {error.message}") from None
        except NotInBucket:
            raise CannotSync("a model was deleted from the model bucket meanwhile") from None
        except OSError as error:
            raise CannotSync(f"MODEL_DIR: {error.strerror}: {error.filename}") from None
        return Synced(len(wanted), sum(map(bool, fetched)), sum(fetched), time.monotonic() - began)

    def _wanted(self, own: Mapping[str, str], folders: Iterable[str]) -> list[ModelFile]:
        wanted = {file.key: file for folder in folders for file in self._bucket.files(folder).values()}
        for setting, name in own.items():
            for file in self._own(setting, name) if name else ():
                wanted[file.key] = file
        return list(wanted.values())

    def _own(self, setting: str, own: str) -> list[ModelFile]:
        files = self._bucket.files(CHECKPOINT_FOLDER)
        checkpoints = [name for name in files if Kind.CHECKPOINT.takes(CHECKPOINT_FOLDER, name)]
        try:
            name = match(Kind.CHECKPOINT, own, checkpoints)
        except Ambiguous as several:
            raise CannotSync(f"{setting} {own!r} matches several files: {several.names}") from None
        if name is None:
            near = nearest(own, checkpoints)
            hint = f"; the nearest is {near!r}" if near else ""
            raise CannotSync(f"{setting} {own!r} is not in the model bucket's {CHECKPOINT_FOLDER}/{hint}")
        base = str(PurePosixPath(name).with_suffix(""))
        return [files[name], *(file for other, file in files.items() if other == f"{base}.yaml")]

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
