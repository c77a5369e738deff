"""Poll the progress of a running job, and detect whether another client interrupted it.

The response to an interrupted job is 200 with an unfinished image, and only `/progress` shows the interrupt,
until the next job begins. So that the next job does not wait for that poll, it is sent before the response:
SD Web UI ends a job before it encodes the images, and in that time `/progress` shows the final state. If no
poll falls into that time, one is sent while the response arrives.
"""

import threading
import time
from dataclasses import dataclass
from typing import Final, Protocol

from container.consumer.engines.base import RunHooks
from domain.errors import PermanentError, RetryableError

FIRST_SECONDS: Final = 0.25
MAX_SECONDS: Final = 2.5
"""How long to wait between two polls of a running job: less at first if its duration is unknown, because its
progress shows when it will end. A poll takes 5 to 10 ms of SD Web UI's processor time."""

FIRST_ENCODING: Final = 0.3
"""The part of a job that its encoding is assumed to take until it was measured."""
MAX_ENCODING: Final = 0.5
MIN_ENCODING_SECONDS: Final = 0.02
"""In a shorter time no poll would succeed."""

GROWTH_FACTOR: Final = 1.25
"""The encoding may take longer than measured, because no poll sees its exact beginning."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The response of `/progress` about the one job that may be running."""

    fraction: float
    job_count: int
    interrupted: bool
    begun: str
    """When the job began, to the second; of the last one if none runs."""

    @property
    def running(self) -> bool:
        """Return whether a job runs or a model is being loaded (`job_count` −1)."""
        return self.job_count != 0


class ProgressApi(Protocol):
    """Asks SD Web UI for the progress of its job; raises RetryableError or PermanentError if that fails."""

    def progress(self) -> Progress:
        """Return the state of the job that runs, or that ran last."""


class InterruptWatch:
    """Watches one job at a time, from the moment when its request was sent."""

    def __init__(self, webui: ProgressApi) -> None:
        self._webui = webui
        self._watched: _Watched | None = None
        self._encoding = FIRST_ENCODING
        self._last_begun: str | None = None

    def sent(self, hooks: RunHooks) -> None:
        """Watch the job whose request was just sent."""
        self._watched = _Watched(self._webui, hooks, self._encoding, self._last_begun)
        self._last_begun = None

    def answered(self) -> None:
        """Note that the job's response begins to arrive: it has ended."""
        if self._watched is not None:
            self._watched.answered()

    def cancel(self) -> None:
        """Stop watching, because the job failed."""
        watched, self._watched = self._watched, None
        if watched is not None:
            watched.cancel()

    def was_interrupted(self) -> bool:
        """Return whether the last job was interrupted; wait for the last poll if it is under way."""
        watched, self._watched = self._watched, None
        if watched is None:
            return False
        last = watched.last_progress()
        self._encoding = watched.encoding()
        self._last_begun = last.begun if last else None
        return last is not None and last.interrupted  # None: SD Web UI ended after a complete response


class _Watched:
    """One job, which a thread of its own polls."""

    def __init__(self, webui: ProgressApi, hooks: RunHooks, encoding: float, last_begun: str | None) -> None:
        self._webui = webui
        self._hooks = hooks
        self._encoding = encoding
        self._last_begun = last_begun
        self._sent_at = time.monotonic()
        self._response = threading.Event()
        self._last_is_known = threading.Event()
        self._cancelled = False
        self._answered_after = 0.0
        self._ran_until = 0.0
        self._ended_after: float | None = None
        self._last: Progress | None = None
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def answered(self) -> None:
        self._answered_after = time.monotonic() - self._sent_at
        self._response.set()

    def cancel(self) -> None:
        self._cancelled = True
        self._response.set()

    def last_progress(self) -> Progress | None:
        """Return the last progress of the job; None if SD Web UI did not respond."""
        self._last_is_known.wait()
        return self._last

    def encoding(self) -> float:
        """Return which part of a job the encoding probably takes, after this job."""
        expected = self._hooks.expected_seconds
        if expected == float("inf"):
            return self._encoding
        part = self._encoding * GROWTH_FACTOR
        if self._ended_after is not None:
            part = max(part, (self._answered_after - self._ended_after) / expected)
        if self._ran_until:
            part = min(part, max(self._answered_after - self._ran_until, 0.0) / expected)
        return min(max(part, MIN_ENCODING_SECONDS / 2 / expected), MAX_ENCODING)

    def _run(self) -> None:
        final: Progress | None = None
        running = False
        while not self._response.wait(self._pause()):
            progress = self._try()
            after = time.monotonic() - self._sent_at
            if progress is None:
                continue
            if progress.running:
                running, final, self._ended_after, self._ran_until = True, None, None, after
                self._hooks.progressed(progress.fraction)
            elif running or self._last_begun not in (None, progress.begun):
                # This job has ended; before it began, the state is that of the last job.
                final = progress
                self._ended_after = self._ended_after or after
        if not self._cancelled:
            self._last = final or self._try()
            self._last_is_known.set()

    def _try(self) -> Progress | None:
        try:
            return self._webui.progress()
        except (RetryableError, PermanentError):
            return None

    def _pause(self) -> float:
        """Return the seconds until the next poll, unless the response comes before."""
        after = time.monotonic() - self._sent_at
        expected = self._hooks.expected_seconds
        if expected == float("inf"):
            return min(max(after / 2, FIRST_SECONDS), MAX_SECONDS)
        encoding = self._encoding * expected
        if encoding < MIN_ENCODING_SECONDS:
            return MAX_SECONDS
        middle = expected - encoding / 2
        return min(middle - after if after < middle else max(encoding / 4, after - middle), MAX_SECONDS)
