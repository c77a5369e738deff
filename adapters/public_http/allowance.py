"""Limits on all inputs of one task together: bytes, time, and whether the task still needs them."""

import socket
import threading
import time
from contextlib import suppress

from adapters.public_http.errors import InputError
from domain.errors import ErrorCode


class Deadline:
    """A deadline for several steps, each of which gets the remaining time."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left, 0 or less if there are none."""
        return self._end - time.monotonic()

    def within(self, seconds: float | None = None) -> float:
        """Return how many seconds one step may take; raise TimeoutError if none are left."""
        left = self.left
        if left <= 0:
            raise TimeoutError
        return left if seconds is None else min(left, seconds)


class Allowance:
    """Limits what is downloaded for one task; can be used from several threads.

    `end` closes all connections at once: a thread that reads from one gets an OSError or the end of the
    stream.
    """

    def __init__(self, *, max_bytes: int, seconds: float, max_pixels: int = 1 << 62) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._bytes = 0
        self._pixels = 0
        self._whole = Deadline(seconds)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._ended = False

    @property
    def left(self) -> float:
        """Return the seconds that are left for all inputs."""
        return self._whole.left

    def check(self) -> None:
        """Raise TimeoutError if the inputs are no longer needed."""
        if self._ended:
            raise TimeoutError

    def deadline(self, seconds: float) -> Deadline:
        """Return the deadline of one input that starts now."""
        return Deadline(min(seconds, self._whole.left))

    def spend(self, count: int) -> None:
        """Count bytes that were read; raise InputError (about "it", the input) if they are too many."""
        with self._lock:
            self._bytes += count
            if self._bytes <= self._max_bytes:
                return
        text = f"with it the inputs of the task have more than {self._max_bytes:,} bytes."
        raise InputError(ErrorCode.INPUT_TOO_LARGE, text)

    def decode(self, pixels: int) -> None:
        """Count pixels that the engine decodes; raise InputError (about "it") if they are too many."""
        with self._lock:
            self._pixels += pixels
            if self._pixels <= self._max_pixels:
                return
        text = f"with it the inputs of the task have more than {self._max_pixels:,} pixels."
        raise InputError(ErrorCode.INPUT_TOO_LARGE, text)

    def opened(self, sock: socket.socket) -> None:
        """Register a connection, so that `end` closes it; close it and raise OSError if it is too late."""
        with self._lock:
            if not self._ended:
                self._sockets.add(sock)
                return
        sock.close()
        raise OSError

    def closed(self, sock: socket.socket) -> None:
        """Unregister a connection."""
        with self._lock:
            self._sockets.discard(sock)

    def end(self) -> None:
        """Close all connections and prevent new ones."""
        with self._lock:
            self._ended = True
            sockets, self._sockets = self._sockets, set()
        for sock in sockets:
            with suppress(OSError):  # wakes a thread that reads from it; `close` alone does not
                sock.shutdown(socket.SHUT_RDWR)


def unlimited() -> Allowance:
    """Return an allowance without limits, for which only the limits of each link apply."""
    return Allowance(max_bytes=1 << 62, seconds=float("inf"))
