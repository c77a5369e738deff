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


class _Budget:
    """What all inputs of a task together may have of something; can be used from several threads."""

    def __init__(self, most: int, owner: str, unit: str) -> None:
        self._most = most
        self._used = 0
        self._excess = f"with it {owner} have more than {most:,} {unit}."
        self._lock = threading.Lock()

    def use(self, amount: int) -> None:
        """Count an amount of one more input; raise InputError (about "it", the input) if it is too much."""
        with self._lock:
            self._used += amount
            if self._used <= self._most:
                return
        raise InputError(ErrorCode.INPUT_TOO_LARGE, self._excess)


class Allowance:
    """Limits what is downloaded for one task; can be used from several threads.

    `close_connections` closes all connections at once: a thread that reads from one gets an OSError or the
    end of the stream.
    """

    def __init__(
        self, *, max_bytes: int, seconds: float, max_pixels: int = 1 << 62, max_video_pixels: int = 1 << 62
    ) -> None:
        self._bytes = _Budget(max_bytes, "the inputs of the task", "bytes")
        self._pixels = _Budget(max_pixels, "the inputs of the task", "pixels")
        self._video_pixels = _Budget(max_video_pixels, "the frames of the task's videos", "pixels")
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
        self._bytes.use(count)

    def count_pixels(self, pixels: int) -> None:
        """Count pixels that the engine decodes; raise InputError (about "it") if they are too many."""
        self._pixels.use(pixels)

    def count_video_pixels(self, pixels: int) -> None:
        """Count pixels of all frames of a video; raise InputError (about "it") if they are too many."""
        self._video_pixels.use(pixels)

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
