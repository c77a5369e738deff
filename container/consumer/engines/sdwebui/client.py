"""Client of SD Web UI's HTTP API."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from container.consumer.engines.sdwebui.faults import fault_of
from container.consumer.engines.sdwebui.interrupt_watch import Progress
from container.consumer.engines.sdwebui.job_connection import (
    EngineUnreachable,
    JobConnection,
    Step,
    unreachable,
)
from domain.errors import PermanentError, RetryableError

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5
PROBE_SECONDS: Final = 10
"""Routes without a job respond in milliseconds, but hang while 40 requests wait (72-threadpool-*)."""

KEEPALIVE_SECONDS: Final = 5
"""The server closes idle connections after 30 s; they are closed well before, so that none fails during a
job."""

READY_PATH: Final = "/sdapi/v1/memory"
"""Responds only when the API is available, unlike `/` (83-webui-readiness-race)."""


def _ignore() -> None:
    """Do nothing at a step of a job."""


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
        self, path: str, body: Callable[[], bytes], *, sent: Step = _ignore, answered: Step = _ignore
    ) -> bytes:
        """Run one job and return the unparsed body of the response.

        `body` is called once, so that nothing keeps a large body while the job runs. Call `sent` when the
        whole request was sent, and `answered` when the response begins to arrive. Raise PermanentError or
        RetryableError for any status other than 200, RetryableError if the connection fails, and
        EngineTimedOut if there is no response in time. A request that may have started is never sent again
        here.
        """
        status, content = self._jobs.post(path, body, sent=sent, answered=answered)
        if status != httpx.codes.OK:
            raise fault_of(status, content)
        return content

    def is_same_process(self) -> bool:
        """Return whether SD Web UI is certainly the process that ran the last job."""
        return self._jobs.is_open()

    def progress(self) -> Progress:
        """Return the progress of the running job, whichever it is: it is global and names no task."""
        answer = self.get("/sdapi/v1/progress?skip_current_image=true")
        state = answer.get("state") or {}
        return Progress(
            fraction=min(1.0, max(0.0, float(answer.get("progress") or 0))),
            job_count=int(state.get("job_count") or 0),
            interrupted=bool(state.get("interrupted")),
            begun=str(state.get("job_timestamp") or ""),
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

    def ready(self) -> bool:
        """Return whether the API responds."""
        try:
            return self._probes.get(READY_PATH).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def wait_ready(self, *, stop: threading.Event, seconds: float, poll_seconds: float = 0.25) -> bool:
        """Wait until the API responds; return False after `seconds`, or when `stop` is set."""
        deadline = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < deadline:
            if self.ready():
                return True
            stop.wait(poll_seconds)
        return False

    def wait_idle(self, *, stop: threading.Event, seconds: float, poll_seconds: float = 0.1) -> bool:
        """Wait until no job runs; return False after `seconds`, or when `stop` is set.

        A Web UI that hangs may still run its job; one that has ended does not.
        """
        deadline = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < deadline:
            try:
                if not self.progress().running:
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
            answer = self._probes.request(method, path, json=body, timeout=timeout)
        except httpx.HTTPError as error:
            raise unreachable(error, ended=isinstance(error, httpx.ConnectError)) from None
        if answer.status_code != httpx.codes.OK:
            raise fault_of(answer.status_code, answer.content)
        return answer.json()
