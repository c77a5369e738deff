"""A connection for the calls between two jobs, while the GPU waits.

With httpx, each takes one to three milliseconds of processor time, and with the standard library a fraction
of that; `bench.gpu_busy_comfyui` measures the time between two jobs.
"""

import threading
import time
from http.client import HTTPConnection, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

IDLE_SECONDS: Final = 5.0
"""A connection that was idle for longer is made anew, because the server may just be closing it."""


class QuickConnection:
    """Sends one request at a time and keeps the connection; raises OSError or HTTPException."""

    def __init__(self, url: str, *, seconds: float) -> None:
        parts = urlsplit(url)
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._address = parts.hostname or "", parts.port
        self._prefix = parts.path.rstrip("/")
        self._seconds = seconds
        self._connection: HTTPConnection | None = None
        self._used = 0.0
        self._lock = threading.Lock()

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request once and return the status and the body of its response."""
        with self._lock:
            connection = self._take()
            try:
                headers = {"Content-Type": "application/json"} if body is not None else {}
                connection.request(method, self._prefix + path, body, headers)
                response = connection.getresponse()
                content = response.read()
            except BaseException:
                self._close()
                raise
            if response.will_close:
                self._close()
            self._used = time.monotonic()
            return response.status, content

    def _take(self) -> HTTPConnection:
        if self._connection is not None and time.monotonic() - self._used > IDLE_SECONDS:
            self._close()
        if self._connection is None:
            connection = self._kind(*self._address, timeout=self._seconds)
            connection.connect()
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
