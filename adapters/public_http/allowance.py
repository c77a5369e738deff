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
    def seconds_left(self) -> float:
        """Return the remaining seconds, 0 or less after the deadline."""
        return self._end - time.monotonic()

    def step_seconds(self, seconds: float | None = None) -> float:
        """Return how long one step may take, `seconds` at most; raise TimeoutError after the deadline."""
        remaining = self.seconds_left
        if remaining <= 0:
            raise TimeoutError
        return remaining if seconds is None else min(remaining, seconds)


class Allowance:
    """Limits what is downloaded for one task; can be used from several threads.

    `close_connections` closes all connections at once: a thread that reads from one gets an OSError or the
    end of the stream.
    """

    def __init__(
        self, *, max_bytes: int, seconds: float, max_pixels: int = 1 << 62, max_video_pixels: int = 1 << 62
    ) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._bytes = 0
        self._pixels = 0
        self._max_video_pixels = max_video_pixels
        self._video_pixels = 0
        self._total_deadline = Deadline(seconds)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._is_closed = False

    @property
    def seconds_left(self) -> float:
        """Return the remaining seconds for all inputs."""
        return self._total_deadline.seconds_left

    def check(self) -> None:
        """Raise TimeoutError if the connections were closed because the inputs are no longer needed."""
        if self._is_closed:
            raise TimeoutError

    def deadline(self, seconds: float) -> Deadline:
        """Return the deadline of one input that starts now."""
        return Deadline(min(seconds, self._total_deadline.seconds_left))

    def count_bytes(self, count: int) -> None:
        """Count bytes that were read; raise InputError (about "it", the input) if they are too many."""
        with self._lock:
            self._bytes += count
            if self._bytes <= self._max_bytes:
                return
        text = f"with it the inputs of the task have more than {self._max_bytes:,} bytes."
        raise InputError(ErrorCode.INPUT_TOO_LARGE, text)

    def count_pixels(self, pixels: int) -> None:
        """Count pixels that the engine decodes; raise InputError (about "it") if they are too many."""
        with self._lock:
            self._pixels += pixels
            if self._pixels <= self._max_pixels:
                return
        text = f"with it the inputs of the task have more than {self._max_pixels:,} pixels."
        raise InputError(ErrorCode.INPUT_TOO_LARGE, text)

    def count_video_pixels(self, pixels: int) -> None:
        """Count pixels of all frames of a video; raise InputError (about "it") if they are too many."""
        with self._lock:
            self._video_pixels += pixels
            if self._video_pixels <= self._max_video_pixels:
                return
        text = f"with it the frames of the task's videos have more than {self._max_video_pixels:,} pixels."
        raise InputError(ErrorCode.INPUT_TOO_LARGE, text)

    def register_connection(self, sock: socket.socket) -> None:
        """Register a connection, so that `close_connections` closes it.

        If the connections have been closed already, close it and raise OSError.
        """
        with self._lock:
            if not self._is_closed:
                self._sockets.add(sock)
                return
        sock.close()
        raise OSError

    def unregister_connection(self, sock: socket.socket) -> None:
        """Unregister a connection."""
        with self._lock:
            self._sockets.discard(sock)

    def close_connections(self) -> None:
        """Close all connections and prevent new ones."""
        with self._lock:
            self._is_closed = True
            sockets, self._sockets = self._sockets, set()
        for sock in sockets:
            with suppress(
                OSError
            ):  # a thread that reads from it continues; `close` alone would leave it blocked
                sock.shutdown(socket.SHUT_RDWR)


def unlimited_allowance() -> Allowance:
    """Return an allowance without limits, for which only the limits of each link apply."""
    return Allowance(max_bytes=1 << 62, seconds=float("inf"))
