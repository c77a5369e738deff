"""The connection on which jobs are sent to SD Web UI.

The GPU waits from the last byte of one response to the last byte of the next request. With bodies of several
MB, httpx (h11) takes 4 to 7 ms of processor time for each job in that time, and the standard library 1 ms,
because it neither copies nor splits a body; `bench.gpu_busy` measures the difference.
"""

import base64
import select
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import unquote, urlsplit

from container.consumer.engines.base import EngineTimedOut
from domain.errors import ErrorCode, RetryableError

Hook = Callable[[], None]


class EngineUnreachable(RetryableError):
    """SD Web UI has ended, together with any job that it ran."""


def no_response(error: Exception, *, has_ended: bool) -> RetryableError:
    """Return the error for a request without a response; `has_ended` if nothing listens at the address."""
    error_class = EngineUnreachable if has_ended else RetryableError
    return error_class(ErrorCode.ENGINE_UNAVAILABLE, f"SD Web UI did not answer: {type(error).__name__}.")


class JobConnection:
    """Sends one job at a time; reuses the last job's connection within `keepalive_seconds` after it."""

    def __init__(
        self, url: str, *, connect_seconds: float, response_seconds: float, keepalive_seconds: float
    ) -> None:
        parts = urlsplit(url)
        self._is_https = parts.scheme == "https"
        self._address = parts.hostname or "", parts.port
        self._prefix = parts.path.rstrip("/")
        # Compressing base64 between two processes on one machine only costs time.
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        self._connect_seconds = connect_seconds
        self._response_seconds = response_seconds
        self._keepalive_seconds = keepalive_seconds
        self._idle: HTTPConnection | None = None
        self._idle_since = 0.0

    def is_open(self) -> bool:
        """Return whether the connection of the last job is still open and recent.

        If it is, SD Web UI has not been restarted since that job.
        """
        connection = self._idle
        if connection is None or connection.sock is None:
            return False
        if time.monotonic() - self._idle_since > self._keepalive_seconds:
            return False
        # An idle connection has something to read only when the server has closed it.
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN)
        return not poll.poll(0)

    def post(
        self, path: str, body: Callable[[], bytes], *, on_sent: Hook, on_response: Hook
    ) -> tuple[int, bytes]:
        """Send a request and return the status and the unparsed body of its response.

        `body` is called once, so that nothing keeps a large body while the job runs. `on_sent` is called when
        the whole request was sent, `on_response` when the response begins to arrive. Raise RetryableError if
        the connection fails, and EngineTimedOut if there is no response in time.
        """
        connection = self._idle_or_new_connection()
        try:
            connection.request("POST", self._prefix + path, body(), self._headers)
            on_sent()
            response = connection.getresponse()
            on_response()
            content = response.read()
        except TimeoutError:
            connection.close()
            raise EngineTimedOut from None
        except (OSError, HTTPException) as error:
            connection.close()
            raise no_response(error, has_ended=False) from None
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle, self._idle_since = connection, time.monotonic()
        return response.status, content

    def close(self) -> None:
        """Close the idle connection."""
        connection, self._idle = self._idle, None
        if connection is not None:
            connection.close()

    def _idle_or_new_connection(self) -> HTTPConnection:
        if self.is_open() and self._idle is not None:
            connection, self._idle = self._idle, None
            return connection
        self.close()
        host, port = self._address
        connection_class = HTTPSConnection if self._is_https else HTTPConnection
        connection = connection_class(host, port, timeout=self._connect_seconds)
        try:
            connection.connect()
        except TimeoutError as error:
            raise no_response(error, has_ended=False) from None
        except OSError as error:
            raise no_response(error, has_ended=True) from None
        connection.sock.settimeout(self._response_seconds)
        return connection
