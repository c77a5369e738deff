"""The life of one task in a worker: claim, prepare, start, run, store, finish, in this order.

The prefetcher calls the first three, the main thread calls `run`, and a separate thread calls `finish`. All
steps are called through this module; none calls the next.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from adapters.results import Results
from adapters.table import Table
from container.consumer.engines.base import AmbiguousError, Interrupted, ReplaceEngine, Result
from container.consumer.job import ActiveJobs, Job, LeaseLost
from container.consumer.lifecycle.claim import Claimer
from container.consumer.lifecycle.finish import Finisher
from container.consumer.lifecycle.outputs import Store
from container.consumer.lifecycle.prepare import Preparer
from container.consumer.lifecycle.run import EngineRunner
from container.consumer.liveness.scale_in_protection import Protection
from container.consumer.telemetry.logs import logging_about
from container.consumer.telemetry.utilization import GpuUtilization
from domain.clock import iso, now
from domain.errors import NOT_STARTED, ErrorCode, PermanentError
from domain.protocol import start
from domain.row import Status

log = logging.getLogger(__name__)

RECEIVE_AGAIN_SECONDS = 1
"""Pause after an AWS error, or while a deployment waits for this worker to end."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a job on the engine: a function that reads the response, or an error."""

    read: Callable[[], Result] | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """Runs the steps of tasks; an error in a step finishes or releases the step's task."""

    claimer: Claimer
    preparer: Preparer
    table: Table
    results: Results
    runner: EngineRunner
    store: Store
    finisher: Finisher
    jobs: ActiveJobs
    protection: Protection
    gpu: GpuUtilization
    shutting_down: threading.Event
    lease_seconds: int
    notify_running: bool

    def claim(self) -> Job | None:
        """Receive and claim the next task; return None if there is none."""
        if self.protection.refused and not self.protection.acquire():
            self.shutting_down.wait(RECEIVE_AGAIN_SECONDS)
            return None
        try:
            job = self.claimer.claim_next()
        except (ClientError, BotoCoreError):
            log.warning("receiving or claiming a message failed: trying again", exc_info=True)
            self.shutting_down.wait(RECEIVE_AGAIN_SECONDS)
            return None
        if job is not None:
            self.gpu.add_waiting(job)
            self.jobs.add(job)
        return job

    def prepare(self, job: Job) -> bool:
        """Fetch what the task needs and build its request; return whether the task continues."""
        with self.finisher.ending(job):
            job.check_lease()
            self.preparer.prepare(job)
        return not job.done.is_set()

    def start(self, job: Job) -> bool:
        """Record that the task runs on the GPU; from now on a cancel is only a request."""
        with self.finisher.ending(job):
            job.check_lease()
            if job.row.start_is_overdue(iso(now())):
                raise PermanentError(ErrorCode.TASK_EXPIRED, NOT_STARTED)
            written = self.table.write(job.id, start(job.row, seconds=self.lease_seconds, now=now()))
            if not written.done or written.row is None:
                raise LeaseLost(job.id)
            job.row = written.row
            if self.notify_running or Status.RUNNING in written.row.webhook_events:
                self.results.publish(written.row)
        return not job.done.is_set()

    def run(self, job: Job, sent: Callable[[], None]) -> RunResult:
        """Run the job on the engine; return an error instead of raising it, for the engine to diagnose.

        Call `sent` when the engine has the whole request.
        """
        with logging_about(job):
            try:
                read = self.runner.run(job, sent)
            except ReplaceEngine as error:
                # The task may be why the engine hangs, so it must not be retried forever.
                with self.finisher.ending(job):
                    job.check_lease()
                    raise AmbiguousError(error.code, str(error)) from None
                raise
            except Exception as error:  # noqa: BLE001 - `finish` handles each of them
                return RunResult(error=error)
            finally:
                self.protection.job_ended()
            return RunResult(read)

    def finish(self, job: Job, run_result: RunResult) -> None:
        """Store what the job produced and write the task's outcome."""
        with self.finisher.ending(job):
            job.check_lease()
            if run_result.read is None:
                raise run_result.error or RuntimeError("a job returned neither a response nor an error")
            with job.timed("store"):
                stored = self.store.store_result(job, run_result.read())
            self.finisher.complete(job, stored)

    def stop(self, job: Job) -> None:
        """End a task that was cancelled, or claimed by another worker, while it waited for the GPU."""
        with self.finisher.ending(job):
            job.check_lease()
            raise Interrupted

    def release(self, job: Job) -> None:
        """Release a task that has not run, without counting an attempt."""
        if not job.done.is_set():
            with self.finisher.ending(job):
                job.check_lease()
                self.finisher.release(job, count_attempt=False)
