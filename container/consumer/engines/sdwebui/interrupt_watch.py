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

INITIAL_POLL_SECONDS: Final = 0.25
MAX_POLL_SECONDS: Final = 2.5
"""How long to wait between two polls of a running job: less at first if its duration is unknown, because its
progress shows when it will end. A poll takes 5 to 10 ms of SD Web UI's processor time."""

INITIAL_ENCODING_FRACTION: Final = 0.3
"""The fraction of a job that the encoding of its images is assumed to take until it was measured."""
MAX_ENCODING_FRACTION: Final = 0.5
MIN_ENCODING_SECONDS: Final = 0.02
"""In a shorter time no poll would succeed."""

GROWTH_FACTOR: Final = 1.25
"""The encoding may take longer than measured, because no poll sees its exact beginning."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The response of `/progress` about the one job that may be running."""

    fraction: float
    job_count: int
    is_interrupted: bool
    job_started_at: str
    """When the job began, to the second; if none runs, when the last one began."""

    @property
    def is_running(self) -> bool:
        """Return whether a job runs or a model is being loaded (`job_count` −1)."""
        return self.job_count != 0


class ProgressApi(Protocol):
    """Asks SD Web UI for the progress of its job; raises RetryableError or PermanentError if that fails."""

    def progress(self) -> Progress:
        """Return the state of the job that runs, or that ran last."""


class InterruptWatch:
    """Polls one job at a time, from the moment when its request was sent."""

    def __init__(self, webui: ProgressApi) -> None:
        self._webui = webui
        self._job: _WatchedJob | None = None
        self._encoding_fraction = INITIAL_ENCODING_FRACTION
        self._last_job_started_at: str | None = None

    def start(self, hooks: RunHooks) -> None:
        """Watch the job whose request was just sent."""
        self._job = _WatchedJob(self._webui, hooks, self._encoding_fraction, self._last_job_started_at)
        self._last_job_started_at = None

    def response_began(self) -> None:
        """Note that the job's response begins to arrive, so that the job has ended."""
        if self._job is not None:
            self._job.response_began()

    def cancel(self) -> None:
        """Stop watching, because the job failed."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def was_interrupted(self) -> bool:
        """Return whether the last job was interrupted; wait for the last poll if it is under way."""
        job, self._job = self._job, None
        if job is None:
            return False
        final = job.final_progress()
        self._encoding_fraction = job.encoding_fraction()
        self._last_job_started_at = final.job_started_at if final else None
        # Without a final state, SD Web UI ended after it had sent a complete response.
        return final is not None and final.is_interrupted


class _WatchedJob:
    """One job and the thread that polls it. All times are seconds since its request was sent."""

    def __init__(
        self,
        webui: ProgressApi,
        hooks: RunHooks,
        encoding_fraction: float,
        last_job_started_at: str | None,
    ) -> None:
        self._webui = webui
        self._hooks = hooks
        self._encoding_fraction = encoding_fraction
        self._last_job_started_at = last_job_started_at
        self._sent_at = time.monotonic()
        self._is_over = threading.Event()
        self._has_final = threading.Event()
        self._is_cancelled = False
        self._response_after = 0.0
        self._running_until = 0.0
        """When a poll last saw the job run; 0 if none did."""
        self._ended_after: float | None = None
        """When a poll first saw that the job had ended; None if none did."""
        self._final: Progress | None = None
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def response_began(self) -> None:
        self._response_after = self._elapsed()
        self._is_over.set()

    def cancel(self) -> None:
        self._is_cancelled = True
        self._is_over.set()

    def final_progress(self) -> Progress | None:
        """Wait for the progress after the job's end and return it; None if SD Web UI did not respond."""
        self._has_final.wait()
        return self._final

    def encoding_fraction(self) -> float:
        """Return the fraction of a job that the encoding probably takes, according to this job."""
        expected_seconds = self._hooks.expected_seconds
        if expected_seconds == float("inf"):
            return self._encoding_fraction
        fraction = self._encoding_fraction * GROWTH_FACTOR
        if self._ended_after is not None:
            fraction = max(fraction, (self._response_after - self._ended_after) / expected_seconds)
        if self._running_until:
            longest = max(self._response_after - self._running_until, 0.0)
            fraction = min(fraction, longest / expected_seconds)
        return min(max(fraction, MIN_ENCODING_SECONDS / 2 / expected_seconds), MAX_ENCODING_FRACTION)

    def _run(self) -> None:
        final: Progress | None = None
        was_running = False
        while not self._is_over.wait(self._seconds_until_poll()):
            progress = self._poll()
            elapsed = self._elapsed()
            if progress is None:
                continue
            if progress.is_running:
                was_running, final, self._ended_after, self._running_until = True, None, None, elapsed
                self._hooks.progressed(progress.fraction)
            elif was_running or self._last_job_started_at not in (None, progress.job_started_at):
                # This job has ended. Before it begins, the state is still that of the last job.
                final = progress
                self._ended_after = self._ended_after or elapsed
        if not self._is_cancelled:
            self._final = final or self._poll()
            self._has_final.set()

    def _poll(self) -> Progress | None:
        try:
            return self._webui.progress()
        except (RetryableError, PermanentError):
            return None

    def _elapsed(self) -> float:
        return time.monotonic() - self._sent_at

    def _seconds_until_poll(self) -> float:
        """Return the seconds until the next poll, which is best in the middle of the encoding."""
        elapsed = self._elapsed()
        expected_seconds = self._hooks.expected_seconds
        if expected_seconds == float("inf"):
            return min(max(elapsed / 2, INITIAL_POLL_SECONDS), MAX_POLL_SECONDS)
        encoding_seconds = self._encoding_fraction * expected_seconds
        if encoding_seconds < MIN_ENCODING_SECONDS:
            return MAX_POLL_SECONDS
        middle = expected_seconds - encoding_seconds / 2
        seconds = middle - elapsed if elapsed < middle else max(encoding_seconds / 4, elapsed - middle)
        return min(seconds, MAX_POLL_SECONDS)
