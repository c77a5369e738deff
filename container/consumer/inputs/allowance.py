"""What all inputs of one task may take together: bytes, time, and only as long as somebody wants them."""

import socket
import threading
import time
from contextlib import suppress

from container.consumer.inputs.errors import InputError
from domain.errors import ErrorCode


class Deadline:
    """Bound a whole undertaking: each step gets what remains."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left, 0 or less when none are."""
        return self._end - time.monotonic()

    def within(self, seconds: float | None = None) -> float:
        """Return the seconds that one step may take; raises TimeoutError when none are left."""
        left = self.left
        if left <= 0:
            raise TimeoutError
        return left if seconds is None else min(left, seconds)


class Allowance:
    """Bound what is fetched for one task. Thread-safe.

    `end` closes all connections at once: whoever reads from one gets an OSError or the end of the stream.
    """

    def __init__(self, *, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._whole = Deadline(seconds)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._ended = False

    @property
    def left(self) -> float:
        """Return the seconds that are left for all inputs."""
        return self._whole.left

    def check(self) -> None:
        """Raise TimeoutError when nothing more is wanted."""
        if self._ended:
            raise TimeoutError

    def deadline(self, seconds: float) -> Deadline:
        """Return the deadline of one input that begins now."""
        return Deadline(min(seconds, self._whole.left))

    def spend(self, count: int) -> None:
        """Count bytes that were read; raises InputError (about "it", the input) when they are too many."""
        with self._lock:
            self._bytes += count
            if self._bytes <= self._max_bytes:
                return
        text = f"with it the inputs of the task have more than {self._max_bytes:,} bytes."
        raise InputError(ErrorCode.INPUT_TOO_LARGE, text)

    def opened(self, sock: socket.socket) -> None:
        """Note a connection, so that `end` closes it; raises OSError and closes it when it comes too late."""
        with self._lock:
            if not self._ended:
                self._sockets.add(sock)
                return
        sock.close()
        raise OSError

    def closed(self, sock: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._sockets.discard(sock)

    def end(self) -> None:
        """Close all connections, and let none be opened any more."""
        with self._lock:
            self._ended = True
            sockets, self._sockets = self._sockets, set()
        for sock in sockets:
            with suppress(OSError):  # wakes a thread that reads from it; `close` alone does not
                sock.shutdown(socket.SHUT_RDWR)


def unlimited() -> Allowance:
    """Return an allowance that bounds nothing: each link keeps its own limits."""
    return Allowance(max_bytes=1 << 62, seconds=float("inf"))
