"""Run one prompt on ComfyUI: send it, wait for its end, and stop it on request."""

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import httpx

from container.consumer.engines.base import AmbiguousError, EngineTimedOut, ReplaceEngine
from container.consumer.engines.comfyui.client import ComfyUi, EngineEnded
from container.consumer.engines.comfyui.events import Events
from container.consumer.engines.comfyui.faults import Inputs, refusal, rejected
from domain.errors import ErrorCode, RetryableError

log = logging.getLogger(__name__)

Json = dict[str, Any]

POLL_SECONDS: Final = 0.25
"""The net under a deaf websocket; a poll takes 0.5 to 2 ms."""

SOON_SECONDS: Final = 0.005
SOON_TIMES: Final = 100
"""How often the history is read again when the end of the job was announced: it follows in milliseconds."""

BEGIN_SECONDS: Final = 0.05
"""How long the files of the previous job wait for this one to begin. Reading them sooner would delay it,
because one process of ComfyUI sends files and runs jobs, on one processor core at a time."""

LOST_SECONDS: Final = 0.5
"""Between two looks for a job without a trace, of which the first may come before the server queued it."""

PENDING_SECONDS: Final = 30.0
"""A job that waits for longer although nothing runs shows that the thread that runs jobs has died."""

UNREACHABLE_SECONDS: Final = 15.0
"""For how long a server that accepts connections may leave polls without an answer."""


class Gone(Exception):
    """The job is neither in the queue nor in the history."""


class Jobs:
    """Runs one job at a time; `cancel` may be called from another thread."""

    def __init__(self, server: ComfyUi, events: Events, *, timeout_seconds: float) -> None:
        self._server = server
        self._events = events
        self._timeout_seconds = timeout_seconds
        self._current = ""
        self._cancelled = threading.Event()

    def run(self, job: str, body: bytes, sent: Callable[[], None], models: Inputs) -> Json | None:
        """Run a job and return its entry in the history; None if it was cancelled while it waited.

        `models` are the inputs that name models. Raise PermanentError, RetryableError, EngineTimedOut or
        ReplaceEngine.
        """
        self._cancelled.clear()
        self._current = job
        try:
            self._submit(job, body, models)
            self._events.began.wait(BEGIN_SECONDS)
            sent()
            entry = self._wait(job)
        except EngineTimedOut:
            raise  # the job still runs, so that `cancel` has to find it
        except BaseException:
            self._current = ""
            raise
        self._current = ""
        return entry

    def cancel(self) -> None:
        """Ask the running job, or one that has just timed out, to stop; repeat it until it has stopped."""
        job = self._current
        if job:
            self._cancelled.set()
            self._server.cancel(job)

    def _submit(self, job: str, body: bytes, models: Inputs) -> None:
        try:
            status, content = self._server.submit(body)
        except EngineEnded:
            raise
        except RetryableError as error:
            if not self._is_known(job):
                raise error from None
            return
        if status == httpx.codes.OK:
            response = json.loads(content)
            given = response.get("prompt_id")
            if given != job:
                self._stop_unwanted(str(given))
                text = "ComfyUI gave the job an id of its own, so it is too old: use version 0.3.64 or newer."
                raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text)
            if nodes := response.get("node_errors"):
                # Only the valid branch would run, and the job would end as a success.
                self._stop_unwanted(job)
                raise rejected(nodes, models)
            return
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            # A 500 is also the response to a job that was queued nevertheless.
            if self._is_known(job):
                return
            if status == httpx.codes.INTERNAL_SERVER_ERROR:
                text = "ComfyUI answered 500 to the workflow."
                raise AmbiguousError(ErrorCode.WORKFLOW_REJECTED, text)
        raise refusal(status, content, models)

    def _is_known(self, job: str) -> bool:
        """Return whether a job without a response was queued; look again in case it is being queued."""
        for again in (True, False):
            if job in self._server.queued() or self._server.history(job) is not None:
                return True
            if again:
                time.sleep(LOST_SECONDS)
        return False

    def _stop_unwanted(self, job: str) -> None:
        """Stop a job of which only a part was accepted, or that has another id."""
        deadline = time.monotonic() + PENDING_SECONDS
        with suppress(RetryableError):
            while job in self._server.queued() and time.monotonic() < deadline:
                self._server.cancel(job)
                time.sleep(POLL_SECONDS)
            self._server.forget(job)

    def _wait(self, job: str) -> Json | None:
        """Wait for the job's history, which alone decides; a websocket's message only says when to look."""
        deadline = time.monotonic() + self._timeout_seconds
        watch = _Watch(self._server, job)
        soon = 0
        while True:
            announced = self._events.ended.wait(SOON_SECONDS if soon else POLL_SECONDS)
            if announced and not soon:
                self._events.ended.clear()
                soon = SOON_TIMES
            elif soon:
                soon -= 1
            try:
                entry = watch.look(thorough=not soon)
            except Gone:
                if self._cancelled.is_set():
                    return None
                text = "ComfyUI has lost the job; it was probably restarted."
                raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text) from None
            if entry is not None:
                return entry
            if time.monotonic() > deadline:
                raise EngineTimedOut


class _Watch:
    """Looks at one job, and notices that it was lost or never begins."""

    def __init__(self, server: ComfyUi, job: str) -> None:
        self._server = server
        self._job = job
        self._missing = 0
        self._began = False
        self._waits_since = time.monotonic()
        self._answered = time.monotonic()

    def look(self, *, thorough: bool) -> Json | None:
        """Return the history; with `thorough`, also look whether the queue still has the job."""
        try:
            entry = self._server.history(self._job)
            if entry is None and thorough:
                self._check_queue()
            self._answered = time.monotonic()
        except EngineEnded:
            raise
        except RetryableError:
            if time.monotonic() - self._answered > UNREACHABLE_SECONDS:
                raise
            return None
        return entry

    def _check_queue(self) -> None:
        queued = self._server.queued()
        if self._job not in queued:
            self._missing += 1
            if self._missing > 1:
                raise Gone
            return
        self._missing = 0
        self._began = self._began or queued[self._job]
        if self._began or any(queued.values()):
            self._waits_since = time.monotonic()
        elif time.monotonic() - self._waits_since > PENDING_SECONDS:
            text = "ComfyUI responds, but no longer runs jobs"
            raise ReplaceEngine(text, ErrorCode.ENGINE_UNAVAILABLE)
