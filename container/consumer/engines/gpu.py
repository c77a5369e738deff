"""The one job that SD Web UI runs at a time."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from container.consumer.engines.sdwebui.client import InferenceTimedOut, WebUi
from container.consumer.engines.sdwebui.request import PATHS
from container.consumer.lifecycle.job import Job
from container.consumer.ports import Models
from container.consumer.scheduling.duration import DurationEstimator
from container.consumer.telemetry.utilization import GpuUtilization
from domain.errors import ErrorCode, PermanentError, RetryableError

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 30
"""How long an interrupted job may take to its next step before Web UI counts as hung."""

INTERRUPT_AGAIN_SECONDS: Final = 0.5
"""An interrupt that arrives before Web UI has begun the job is forgotten by it: `begin` clears the flag."""


class ReplaceEngine(Exception):
    """Say that this Web UI must be replaced (exit status 75)."""


class Interrupted(Exception):
    """Say that the job was stopped half-way: whatever it returned is not stored."""


class Gpu:
    """Run prepared tasks one at a time, and stop the running one when told."""

    def __init__(
        self,
        webui: WebUi,
        models: Models,
        pace: DurationEstimator,
        *,
        clock: GpuUtilization | None = None,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._webui = webui
        self._models = models
        self._pace = pace
        self._stop_seconds = stop_seconds
        self.clock = clock or GpuUtilization()
        self._checkpoint: str | None = None
        # Job while an interrupt is on its way, so that it never hits the next job: it is global.
        self._lock = threading.Lock()
        self._current: Job | None = None
        self._stopping = False
        self._when_stuck: Callable[[str], None] = lambda _reason: None

    def when_stuck(self, action: Callable[[str], None]) -> None:
        """Call `action`, with the reason, when a job does not stop although it was interrupted."""
        self._when_stuck = action

    def infer(self, job: Job) -> tuple[bytes, str | None]:
        """Return Web UI's unread answer and the checkpoint it must have used (None: any).

        Raise Interrupted, PermanentError, RetryableError or ReplaceEngine.
        """
        with self.clock.job(job):
            return self._infer(job)

    def _infer(self, job: Job) -> tuple[bytes, str | None]:
        task = job.message.task
        with job.timed("model"):
            checkpoint = self._models.switch(task.content) if task.tasktype.generates else None
        job.switched = checkpoint is not None and checkpoint != self._checkpoint
        self._checkpoint = checkpoint or self._checkpoint
        with self._lock:
            if job.cancelled.is_set() or job.lease_lost.is_set():
                raise Interrupted
            self._current = job
            self._stopping = False
        job.progress = 0.0
        self._pace.begin(job.kind, job.cost)
        answer: bytes | None = None
        try:
            with job.timed("inference"):
                answer = self._webui.run(PATHS[task.tasktype], job.body)
        except InferenceTimedOut:
            self._stop_hung(job)
        except (PermanentError, RetryableError) as fault:
            self._models.failed(fault)
            raise
        finally:
            with self._lock:
                self._current = None
                stopped = self._stopping
            self._pace.end(job.kind, job.cost, learn=answer is not None and not stopped)
            job.progress = None
            job.body = b""
        if stopped or (answer is not None and self._was_interrupted()):
            raise Interrupted
        if answer is None:
            raise PermanentError(ErrorCode.INFERENCE_TIMEOUT, "SD Web UI did not finish in time.")
        return answer, checkpoint

    def observe(self) -> float | None:
        """Return the running job's progress, None when there is none."""
        if self._current is None:
            return None
        try:
            fraction = self._webui.progress().fraction
        except (RetryableError, PermanentError):
            return None
        self._pace.observe(fraction)
        return round(fraction, 3)

    def leave(self) -> None:
        """End what would hold a leaving worker: a checkpoint that is fetched for the next job."""
        self._models.leave()

    def stop(self, job: Job) -> None:
        """Begin to interrupt `job` if it is the one that runs; `infer` then raises Interrupted."""
        with self._lock:
            if self._current is not job or self._stopping:
                return
            self._stopping = True
        # Beside the caller, which is the heartbeat or a departure: a Web UI that hangs must not hold them up.
        threading.Thread(target=self._interrupt, args=(job,), name="interrupt", daemon=True).start()

    @property
    def current(self) -> Job | None:
        """Return the task that runs."""
        return self._current

    def _interrupt(self, job: Job) -> None:
        """Interrupt until the job has stopped; say so when it does not."""
        deadline = time.monotonic() + self._stop_seconds
        while time.monotonic() < deadline:
            with self._lock:
                if self._current is not job:
                    return
                try:
                    self._webui.interrupt()
                except (RetryableError, PermanentError) as fault:
                    log.warning("SD Web UI took no interrupt", extra={"reason": fault.message})
            time.sleep(INTERRUPT_AGAIN_SECONDS)
        if self._current is job:
            self._when_stuck(f"an interrupted job did not stop within {self._stop_seconds:g} s")

    def _was_interrupted(self) -> bool:
        """Tell whether anyone interrupted the job: half an image comes with 200 too (62-interrupted-job)."""
        try:
            return self._webui.progress().interrupted
        except (RetryableError, PermanentError):
            return False  # it is gone, after a whole answer

    def _stop_hung(self, job: Job) -> None:
        """Stop a job whose request timed out: it goes on without its client."""
        log.warning("inference timed out", extra={"task_id": job.id})
        with suppress(RetryableError, PermanentError):  # decided by what follows
            self._webui.interrupt()
        if not self._webui.wait_idle(stop=threading.Event(), seconds=self._stop_seconds):
            raise ReplaceEngine(f"a job did not stop within {self._stop_seconds:g} s")
