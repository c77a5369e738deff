"""Fetch models to the volume, and protect those of the running task from eviction."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from container.consumer.engines.base import WorkerShutsDown
from container.consumer.model_store.bucket import ModelFile
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.locks import POLL_SECONDS, Lock, Stopped
from domain.errors import ErrorCode, RetryableError

EVICTION_SECONDS: Final = 30.0
"""A consumer that takes longer to evict a file hangs; the task is then released."""


class ModelsInUse:
    """The model files that are protected from eviction until `release`."""

    def __init__(self) -> None:
        self._locks: list[Lock] = []

    @contextmanager
    def protecting(self, fetcher: Fetcher, file: ModelFile) -> Iterator[None]:
        """Protect a file in the block and, unless the block raises an exception, after it too."""
        lock = _lock(fetcher, file)
        try:
            yield
        except BaseException:
            lock.release()
            raise
        self._locks.append(lock)

    def release(self) -> None:
        """Allow all files to be evicted."""
        while self._locks:
            self._locks.pop().release()


def fetch(fetcher: Fetcher, file: ModelFile) -> None:
    """Provide a file on the volume; raise WorkerShutsDown, and what `Fetcher.ensure` raises."""
    try:
        fetcher.ensure(file)
    except Stopped:
        raise _shuts_down() from None


def _lock(fetcher: Fetcher, file: ModelFile) -> Lock:
    """Protect a file from eviction, after waiting for an eviction in progress (deleting a file)."""
    deadline = time.monotonic() + EVICTION_SECONDS
    while (lock := fetcher.volume.lock_against_eviction(file)) is None:
        if fetcher.stop.wait(POLL_SECONDS):
            raise _shuts_down()
        if time.monotonic() > deadline:
            text = f"Another consumer has been evicting {file.key} for {EVICTION_SECONDS:.0f} s."
            raise RetryableError(ErrorCode.NO_SPACE_FOR_MODEL, text)
    return lock


def _shuts_down() -> WorkerShutsDown:
    return WorkerShutsDown(ErrorCode.AWS_UNAVAILABLE, "The worker is shutting down.")
