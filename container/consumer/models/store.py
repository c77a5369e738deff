"""Having a task's models on the volume: fetched, checked, and kept while the task runs."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from container.consumer.models.bucket import Gone, ModelBucket, ModelFile
from container.consumer.models.checks import Stored, arrived_whole, old_hash_of, sha256_of, unusable
from container.consumer.models.finder import Finder, Found, wrong_hash
from container.consumer.models.kinds import Kind
from container.consumer.models.locks import Lock, Stopped
from container.consumer.models.names import MAX_NAME, not_found
from container.consumer.models.transfer import DiskFull, Transfer
from container.consumer.models.volume import NoRoom, Volume
from domain.errors import ErrorCode, PassingFault, TaskFailed

FETCHES: Final = 2
"""How often a file is fetched that does not arrive as S3 holds it, or that finds the disk full."""

OLD_HASH_DIGITS: Final = 8
_log = logging.getLogger(__name__)


class WorkerLeaves(PassingFault):
    """Say that a fetch ended because the worker leaves: the task goes back with its try."""


class Fetcher:
    """Bring files of the bucket to the volume, each once, whole and checked; safe in several threads."""

    def __init__(
        self, bucket: ModelBucket, volume: Volume, transfer: Transfer, *, stop: threading.Event
    ) -> None:
        self.volume = volume
        self._bucket = bucket
        self._transfer = transfer
        self.stop = stop
        self._unusable: dict[tuple[str, str], str] = {}

    def have(self, file: ModelFile, *, on_bytes: Callable[[int], None] = lambda _: None) -> int:
        """Have a file on the volume in the bucket's version; return the bytes that were fetched for it.

        Raise Gone, NoRoom, Stopped, TaskFailed (`model_unusable`) or PassingFault.
        """
        self._refuse_unusable(file)
        if self.volume.has(file):
            self.volume.touch(file)
            return 0
        with self.volume.fetching(file, stop=self.stop) as part:
            if self.volume.has(file):  # another thread or consumer was quicker
                return 0
            self._refuse_unusable(file)
            stored = self._bucket.stored(file)
            now = replace(file, size=stored.size, etag=stored.etag)
            if self._adopted(now, stored):
                return 0
            began = time.monotonic()
            checked = self._fetch(now, stored, part, on_bytes)
            if why := unusable(part, name=file.name):
                self.refuse(file, why)
                self._refuse_unusable(file)
            self.volume.admit(now, part, checked=checked)
            seconds = time.monotonic() - began
            rate = stored.size / 1e6 / max(seconds, 1e-6)
            _log.info(
                "fetched %s: %d bytes in %.2f s, %.0f MB/s (%s)",
                file.key,
                stored.size,
                seconds,
                rate,
                checked,
            )
        if now.etag != file.etag:
            self._bucket.forget(file.folder)
        return stored.size

    def refuse(self, file: ModelFile, why: str) -> None:
        """Remember that this version of a file is no usable model: it is not fetched again."""
        _log.warning("%s is unusable: %s", file.key, why)
        self._unusable[file.key, file.etag] = why

    def _refuse_unusable(self, file: ModelFile) -> None:
        if why := self._unusable.get((file.key, file.etag)):
            raise TaskFailed(ErrorCode.MODEL_UNUSABLE, f"{file.key} in the model bucket is unusable: {why}.")

    def _adopted(self, file: ModelFile, stored: Stored) -> bool:
        """Take a file that lies there already: copied by hand, or fetched by a process killed just then."""
        path = self.volume.path(file)
        checked = arrived_whole(path, stored) if path.is_file() else None
        if checked is None or unusable(path, name=file.name):
            return False
        self.volume.adopt(file, checked=checked)
        return True

    def _fetch(self, file: ModelFile, stored: Stored, part: Path, on_bytes: Callable[[int], None]) -> str:
        """Fetch a file beside its place and return what was checked of it."""
        full = False
        for _ in range(FETCHES):
            self.volume.reserve(file, stop=self.stop, urgent=full)
            try:
                self._transfer.fetch(self._bucket.name, file.key, part, on_bytes=on_bytes, stop=self.stop)
            except DiskFull:
                part.unlink(missing_ok=True)
                full = True
                continue
            if checked := arrived_whole(part, stored):
                return checked
            _log.warning("%s did not arrive as S3 holds it", file.key)
            part.unlink(missing_ok=True)
        if full:
            raise NoRoom(f"{file.size:,} bytes, and the disk is full", for_ever=True)
        text = f"{file.key} does not arrive as the model bucket holds it: size or checksum differ."
        raise PassingFault(ErrorCode.AWS_UNAVAILABLE, text)


class ModelStore:
    """Find and fetch what tasks need; `ensure` may run in any thread, while a job runs."""

    def __init__(self, finder: Finder, fetcher: Fetcher | None) -> None:
        self._finder = finder
        self._fetcher = fetcher
        self._in_use: list[Lock] = []
        self._hashes: dict[tuple[str, int], str] = {}

    def ensure(self, content: dict[str, Any]) -> list[Found]:
        """Have all models of a task, as far as there is room beside those in use; `activate` does the rest.

        Raise TaskFailed (`model_not_found`, `model_unusable`, `no_space_for_model`) or PassingFault.
        """
        found = self._finder.find(content)
        for one in found:
            try:
                self._have(one)
            except NoRoom as trouble:
                if trouble.for_ever:
                    raise _no_space(one, trouble) from None
                _log.info("%s waits for room: %s", one.name, trouble.message)
        return found

    def activate(self, content: dict[str, Any]) -> list[Found]:
        """Have all models of the task that runs next, and keep them until another one is activated.

        Call it between jobs: until then nothing of the last task is kept.
        """
        self.release()
        found = self._finder.find(content)
        for one in found:
            try:
                self._keep(one)
            except NoRoom as trouble:
                if trouble.for_ever:
                    raise _no_space(one, trouble) from None
                # Another consumer of this volume uses the rest: that passes.
                raise PassingFault(ErrorCode.NO_SPACE_FOR_MODEL, _no_space(one, trouble).message) from None
        return found

    def release(self) -> None:
        """Let the last task's models go: they may be evicted from now on."""
        while self._in_use:
            self._in_use.pop().release()

    def leave(self) -> None:
        """End a running fetch, and fetch nothing more."""
        if self._fetcher:
            self._fetcher.stop.set()

    def refuse(self, found: Iterable[Found], why: str) -> None:
        """Remember that SD Web UI could not load a task's checkpoint."""
        for one in found:
            if self._fetcher and one.file and one.need.kind is Kind.CHECKPOINT and one.need.required:
                self._fetcher.refuse(one.file, why)

    def _keep(self, one: Found) -> None:
        if self._fetcher is None or one.file is None:
            self._have(one)
            return
        while True:
            lock = self._fetcher.volume.use(one.file)
            if lock is None:  # it is being evicted just now
                time.sleep(0)
                continue
            try:
                self._have(one)
            except BaseException:
                lock.release()
                raise
            self._in_use.append(lock)
            return

    def _have(self, one: Found) -> None:
        """Have one model where Web UI finds it, usable, and with the hash that the task names."""
        if self._fetcher is not None and one.file is not None:
            try:
                self._fetcher.have(one.file)
            except Gone:
                raise not_found(one.need.kind, one.need.name, (), path=one.need.path) from None
            except Stopped:
                raise WorkerLeaves(ErrorCode.AWS_UNAVAILABLE, "The worker leaves.") from None
        elif one.path is not None and one.path.is_file() and (why := unusable(one.path, name=one.path.name)):
            raise TaskFailed(ErrorCode.MODEL_UNUSABLE, f"{one.name} is unusable: {why}.")
        if one.hash and one.path is not None and one.need.kind is Kind.CHECKPOINT:
            self._check_hash(one, one.path)

    def _check_hash(self, one: Found, path: Path) -> None:
        if len(one.hash) == OLD_HASH_DIGITS:
            digits = old_hash_of(path)
        else:
            key = str(path), path.stat().st_mtime_ns
            if key not in self._hashes:
                self._hashes[key] = sha256_of(path)
            digits = self._hashes[key]
        if not digits.startswith(one.hash):
            raise wrong_hash(one)


def _no_space(one: Found, trouble: NoRoom) -> TaskFailed:
    text = f"There is no room for {one.need.kind.value} {one.name[:MAX_NAME]}: {trouble.message}."
    return TaskFailed(ErrorCode.NO_SPACE_FOR_MODEL, text)
