"""Client of SD Web UI's HTTP API."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from container.consumer.engines.sdwebui.interrupt_watch import Progress
from container.consumer.engines.sdwebui.job_connection import (
    EngineUnreachable,
    Hook,
    JobConnection,
    no_response,
)
from container.consumer.engines.sdwebui.response_errors import response_error
from domain.errors import PermanentError, RetryableError

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5
PROBE_SECONDS: Final = 10
"""Timeout of requests without a job, which are answered in milliseconds unless 40 other requests wait
(72-threadpool-* in tests/contract/recordings)."""

KEEPALIVE_SECONDS: Final = 5
"""The server closes idle connections after 30 s; they are closed well before, so that none fails during a
job."""

READY_PATH: Final = "/sdapi/v1/memory"
"""Responds only when the API is available, unlike `/` (83-webui-readiness-race)."""


def _do_nothing() -> None: ...


class WebUi:
    """Client of one SD Web UI; can be used from several threads."""

    def __init__(self, url: str, *, inference_timeout_seconds: float) -> None:
        self._jobs = JobConnection(
            url,
            connect_seconds=CONNECT_SECONDS,
            response_seconds=inference_timeout_seconds,
            keepalive_seconds=KEEPALIVE_SECONDS,
        )
        self._probes = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(PROBE_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
            trust_env=False,
        )

    def run(
        self,
        path: str,
        body: Callable[[], bytes],
        *,
        on_sent: Hook = _do_nothing,
        on_response: Hook = _do_nothing,
    ) -> bytes:
        """Run one job and return the unparsed body of the response.

        `body` is called once, so that nothing keeps a large body while the job runs. `on_sent` is called when
        the whole request was sent, `on_response` when the response begins to arrive. Raise PermanentError or
        RetryableError for any status other than 200, RetryableError if the connection fails, and
        EngineTimedOut if there is no response in time. Nothing is sent twice, because the first request may
        have started a job.
        """
        status, content = self._jobs.post(path, body, on_sent=on_sent, on_response=on_response)
        if status != httpx.codes.OK:
            raise response_error(status, content)
        return content

    def is_same_process(self) -> bool:
        """Return whether SD Web UI is certainly the process that ran the last job."""
        return self._jobs.is_open()

    def progress(self) -> Progress:
        """Return the progress of the job that runs or ran last; SD Web UI does not say whose it is."""
        response = self.get("/sdapi/v1/progress?skip_current_image=true")
        state = response.get("state") or {}
        return Progress(
            fraction=min(1.0, max(0.0, float(response.get("progress") or 0))),
            job_count=int(state.get("job_count") or 0),
            is_interrupted=bool(state.get("interrupted")),
            job_started_at=str(state.get("job_timestamp") or ""),
        )

    def interrupt(self) -> None:
        """Ask the running job to stop at its next step; this has no effect if nothing runs."""
        self.post("/sdapi/v1/interrupt", {})

    def get(self, path: str) -> Any:
        """Return the JSON of a GET response; raise RetryableError or PermanentError unless it is 200."""
        return self._probe("GET", path, None)

    def post(self, path: str, body: Any, *, seconds: float = PROBE_SECONDS) -> Any:
        """Return the JSON of the response to a POST without a job, within a number of seconds."""
        return self._probe("POST", path, body, seconds=seconds)

    def is_ready(self) -> bool:
        """Return whether the API responds."""
        try:
            return self._probes.get(READY_PATH).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def wait_ready(self, *, stop: threading.Event, seconds: float, poll_seconds: float = 0.25) -> bool:
        """Wait until the API responds; return False after `seconds`, or when `stop` is set."""
        deadline = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < deadline:
            if self.is_ready():
                return True
            stop.wait(poll_seconds)
        return False

    def wait_idle(self, *, stop: threading.Event, seconds: float, poll_seconds: float = 0.1) -> bool:
        """Wait until no job runs; return False after `seconds`, or when `stop` is set.

        If SD Web UI does not respond, its job may still run; if nothing listens any more, no job runs.
        """
        deadline = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < deadline:
            try:
                if not self.progress().is_running:
                    return True
            except EngineUnreachable:
                return True
            except (RetryableError, PermanentError) as error:
                log.info("SD Web UI did not report whether it runs a job", extra={"reason": error.message})
            stop.wait(poll_seconds)
        return False

    def _probe(self, method: str, path: str, body: Any, *, seconds: float = PROBE_SECONDS) -> Any:
        timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        try:
            response = self._probes.request(method, path, json=body, timeout=timeout)
        except httpx.HTTPError as error:
            raise no_response(error, has_ended=isinstance(error, httpx.ConnectError)) from None
        if response.status_code != httpx.codes.OK:
            raise response_error(response.status_code, response.content)
        return response.json()
