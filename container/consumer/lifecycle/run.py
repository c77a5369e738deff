"""Run one job at a time on the engine."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from container.consumer.engines.base import (
    Engine,
    EngineTimedOut,
    Interrupted,
    ReplaceEngine,
    Result,
    RunHooks,
)
from container.consumer.job import Job
from container.consumer.telemetry.duration import DurationEstimator
from container.consumer.telemetry.utilization import GpuUtilization
from domain.errors import ErrorCode, PermanentError, RetryableError

log = logging.getLogger(__name__)

INTERRUPT_AGAIN_SECONDS: Final = 0.5
"""How soon an interrupt is repeated: an engine may ignore one that arrives before it has begun the job."""


class EngineRunner:
    """Runs prepared jobs one at a time, and stops the running one on request.

    `on_stuck` is called with the reason if a job does not stop although it was interrupted.
    """

    def __init__(
        self,
        engine: Engine,
        durations: DurationEstimator,
        gpu: GpuUtilization,
        *,
        on_stuck: Callable[[str], None],
        stop_seconds: float,
    ) -> None:
        self._engine = engine
        self._durations = durations
        self._gpu = gpu
        self._on_stuck = on_stuck
        self._stop_seconds = stop_seconds
        # Held while an interrupt is being sent, so that it never hits the next job.
        self._lock = threading.Lock()
        self._running_job: Job | None = None
        self._is_stopping = False
        self._progress: float | None = None

    @property
    def running_job(self) -> Job | None:
        """Return the job that the engine runs, or None."""
        return self._running_job

    def run(self, job: Job, sent: Callable[[], None]) -> Callable[[], Result]:
        """Run a prepared job and return a function that reads the engine's response.

        Call `sent` when the engine has the whole request. Raise Interrupted, PermanentError, RetryableError
        or ReplaceEngine.
        """
        with self._gpu.busy_with(job):
            return self._run(job, sent)

    def _run(self, job: Job, sent: Callable[[], None]) -> Callable[[], Result]:
        if job.request is None:
            raise RuntimeError("a job must be prepared before it runs")
        with job.timed("model"):
            loaded = self._engine.load(job.request)
        job.model_switched = loaded.switched
        with self._lock:
            if job.cancelled.is_set() or job.lease_lost.is_set():
                raise Interrupted
            self._running_job = job
            self._is_stopping = False
        job.progress = 0.0
        self._progress = None
        expected_seconds = self._durations.seconds_for(job.kind, job.cost)
        hooks = RunHooks(partial(self._sent, job, sent), self._progressed, expected_seconds)
        read: Callable[[], Result] | None = None
        try:
            with job.timed("inference"):
                read = self._engine.run(job.request, loaded, hooks)
        except EngineTimedOut:
            self._stop_hung(job)
        except (PermanentError, RetryableError) as error:
            self._engine.failed(error)
            raise
        finally:
            job.request = None
            with self._lock:
                self._running_job = None
                was_stopped = self._is_stopping
            self._durations.end(job.kind, job.cost, learn=read is not None and not was_stopped)
            job.progress = None
        # The response to an interrupted job can be 200 with an unfinished image.
        if was_stopped or (read is not None and self._engine.was_interrupted()):
            raise Interrupted
        if read is None:
            raise PermanentError(ErrorCode.INFERENCE_TIMEOUT, "The engine did not finish in time.")
        return read

    def _sent(self, job: Job, sent: Callable[[], None]) -> None:
        self._durations.begin(job.kind, job.cost)
        sent()

    def observe(self) -> float | None:
        """Return the running job's progress (0 to 1), or None if there is no job or no progress yet."""
        return None if self._running_job is None else self._progress

    def _progressed(self, fraction: float) -> None:
        self._durations.observe(fraction)
        self._progress = round(fraction, 3)

    def prepare_shutdown(self) -> None:
        """Stop everything that would delay a shutdown."""
        self._engine.prepare_shutdown()

    def stop(self, job: Job) -> None:
        """Start interrupting `job` if it is the running one; `run` then raises Interrupted."""
        with self._lock:
            if self._running_job is not job or self._is_stopping:
                return
            self._is_stopping = True
        # In a separate thread: an engine that hangs must not block the caller, the heartbeat or a shutdown.
        threading.Thread(target=self._interrupt, args=(job,), name="interrupt", daemon=True).start()

    def _interrupt(self, job: Job) -> None:
        """Interrupt the job again and again until it has stopped; call `on_stuck` if it does not stop."""
        deadline = time.monotonic() + self._stop_seconds
        while time.monotonic() < deadline:
            with self._lock:
                if self._running_job is not job:
                    return
                try:
                    self._engine.interrupt()
                except (RetryableError, PermanentError) as error:
                    log.warning("the engine did not accept an interrupt", extra={"reason": error.message})
            time.sleep(INTERRUPT_AGAIN_SECONDS)
        if self._running_job is job:
            self._on_stuck(f"an interrupted job did not stop within {self._stop_seconds:g} s")

    def _stop_hung(self, job: Job) -> None:
        """Stop a job whose request timed out; it still runs without its client."""
        log.warning("inference timed out", extra={"task_id": job.id})
        with suppress(RetryableError, PermanentError):  # whether it worked shows in `wait_idle`
            self._engine.interrupt()
        if not self._engine.wait_idle(self._stop_seconds):
            raise ReplaceEngine(f"a job did not stop within {self._stop_seconds:g} s")
