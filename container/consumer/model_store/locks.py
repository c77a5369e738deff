"""Locks that processes share through a volume, and that end with their process, however it ends."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

POLL_SECONDS: Final = 0.1
"""How often a taken lock is tried again: a leaving worker can end a poll, but no wait for a lock."""


class Stopped(Exception):
    """Say that waiting or fetching ended because the worker leaves."""


class Lock:
    """Hold a lock on a file; `flock` keeps threads apart too, each opens the file itself."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path, *, shared: bool = False) -> Self | None:
        """Take the lock at once, or return None. Lock files stay: a deleted one guards nothing."""
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
    def wait(cls, path: Path, *, stop: threading.Event) -> Iterator[None]:
        """Hold the lock for a `with` block, once it is free. Raise Stopped when `stop` is set before."""
        while (lock := cls.take(path)) is None:
            if stop.wait(POLL_SECONDS):
                raise Stopped
        try:
            yield
        finally:
            lock.release()

    def release(self) -> None:
        """Let go; more than once is harmless."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
