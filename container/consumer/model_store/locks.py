"""Locks that processes share through a volume, and that are released when their process ends."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

POLL_SECONDS: Final = 0.1
"""How often to try again while another process has the lock; a worker that shuts down can interrupt polling,
but not a blocking wait."""


class Stopped(Exception):
    """Waiting or downloading was stopped because the worker shuts down."""


class Lock:
    """A lock on a file; as each thread opens the file itself, `flock` separates threads too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def try_acquire(cls, path: Path, *, shared: bool = False) -> Self | None:
        """Acquire the lock, or return None if another process or thread has it.

        Lock files are never deleted: a process could still lock the deleted file while another one creates
        and locks a new one.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return None
            raise
        return cls(descriptor)

    @classmethod
    @contextmanager
    def acquire_when_free(cls, path: Path, *, stop: threading.Event) -> Iterator[None]:
        """Hold the lock during a `with` block, waiting until it is free; raise Stopped if `stop` is set."""
        while (lock := cls.try_acquire(path)) is None:
            if stop.wait(POLL_SECONDS):
                raise Stopped
        try:
            yield
        finally:
            lock.release()

    def release(self) -> None:
        """Release the lock; repeated calls have no effect."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
