"""End jobs: finish them with an outcome or release them, and map errors of each step to one of these."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from adapters.results import Results
from adapters.table import Table
from container.consumer.engines.base import AmbiguousError, Interrupted, WorkerShutsDown
from container.consumer.job import Job, LeaseLost
from container.consumer.lifecycle.outputs import Store, Stored
from container.consumer.receiving.queue import SqsQueue
from container.consumer.telemetry.logs import about
from container.consumer.telemetry.task_metrics import TaskMetrics
from domain.clock import now
from domain.errors import ErrorCode, PermanentError, RetryableError, cancelled_error, outcome_error
from domain.limits import MAX_ATTEMPTS
from domain.protocol import finish, release
from domain.row import Row, Status

log = logging.getLogger(__name__)

MAX_DELAY_SECONDS = 300
"""The delay of a retryable error doubles with each attempt, up to this."""

AMBIGUOUS_ATTEMPTS = 2
"""An error that may or may not be the task's fault gets one more attempt before it fails the task."""


@dataclass(slots=True)
class Finisher:
    """Ends tasks: writes the row, then deletes orphaned objects, sends the callback, deletes the message."""

    queue: SqsQueue
    table: Table
    results: Results
    store: Store
    metrics: TaskMetrics
    shutting_down: threading.Event
    """Set when this worker shuts down."""
    first_delay_seconds: int

    @contextmanager
    def ending(self, job: Job) -> Iterator[None]:
        """Turn an exception of a step into the end of the job; `job.done` says whether the job has ended.

        A step begins with `job.check()` inside the block, because a context manager cannot skip its block.
        """
        with about(job):
            try:
                with self._deciding(job):
                    yield
            except LeaseLost:
                log.info("dropped a job: another worker has its task, or it was cancelled")
                self.metrics.lost(job)
                job.done.set()
            except Exception:
                # Nothing is lost: the lease expires and the message is delivered again.
                log.exception("a job could not be ended")
                self.metrics.lost(job)
                job.done.set()

    @contextmanager
    def _deciding(self, job: Job) -> Iterator[None]:
        try:
            yield
        except PermanentError as error:
            self.failed(job, error)
        except WorkerShutsDown:
            self.release(job, count_attempt=False)
        except AmbiguousError as error:
            self.retry(job, error, attempts=AMBIGUOUS_ATTEMPTS)
        except RetryableError as error:
            self.retry(job, error)
        except Interrupted:
            self.interrupted(job)
        except (ClientError, BotoCoreError) as error:
            log.warning("a call to AWS failed in a step of a task", exc_info=True)
            self.retry(job, RetryableError(ErrorCode.AWS_UNAVAILABLE, _describe(error)))
        except LeaseLost:
            raise
        except Exception as bug:
            # A bug in the consumer: another attempt may reach a newer version, and attempts are limited.
            log.exception("a step of a task failed unexpectedly")
            text = f"The worker failed: {type(bug).__name__}."
            self.retry(job, RetryableError(ErrorCode.INTERNAL_ERROR, text))

    def interrupted(self, job: Job) -> None:
        """End a job that was interrupted by its caller, by a shutdown, or by another client of the engine."""
        job.check()
        if job.cancelled.is_set():
            self.cancelled(job)
        elif self.shutting_down.is_set():
            self.release(job, count_attempt=False)
        else:
            text = "Another client of the engine interrupted the job."
            self.retry(job, RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text))

    def completed(self, job: Job, stored: Stored) -> None:
        """Finish a task with its images."""
        self._finish(job, Status.COMPLETED, stored=stored)

    def cancelled(self, job: Job) -> None:
        """Finish a task that its caller cancelled."""
        self._finish(job, Status.CANCELLED, error=cancelled_error())

    def failed(self, job: Job, fault: PermanentError | RetryableError) -> None:
        """Finish a task with an error."""
        error = outcome_error(fault.code, fault.message)
        stored = self.store.failure(job, error, fault.response)
        self._finish(job, Status.FAILED, stored=stored, error=error)

    def retry(self, job: Job, fault: RetryableError, *, attempts: int = MAX_ATTEMPTS) -> None:
        """Release a task with a growing delay, or fail it with the error if its attempts are used up."""
        if job.row.attempts >= attempts:
            self.failed(job, fault)
            return
        delay = min(self.first_delay_seconds * 2 ** max(job.row.attempts - 1, 0), MAX_DELAY_SECONDS)
        last_error = outcome_error(fault.code, fault.message)
        self.release(job, count_attempt=True, delay_seconds=delay, last_error=last_error)

    def release(
        self,
        job: Job,
        *,
        count_attempt: bool,
        delay_seconds: int = 0,
        last_error: dict[str, str] | None = None,
    ) -> None:
        """Release a task, so that another worker can claim it after `delay_seconds`."""
        written = self.table.write(
            job.id, release(job.row, count_attempt=count_attempt, last_error=last_error)
        )
        if not written.done and written.row is not None and self._is_ours(job, written.row):
            self.cancelled(job)  # refused because the caller asked to cancel
            return
        job.done.set()
        log.info("task released", extra={"task_id": job.id, "delay_seconds": delay_seconds})
        self.metrics.released(job, attempt_counted=count_attempt, code=(last_error or {}).get("code", ""))
        self.queue.release(job.delivery, delay_seconds)

    def _finish(
        self,
        job: Job,
        status: Status,
        *,
        stored: Stored | None = None,
        error: dict[str, str] | None = None,
    ) -> None:
        transition = finish(
            job.row,
            status,
            now=now(),
            images=stored.images if stored else (),
            other_images=stored.other_images if stored else (),
            output=stored.output if stored else None,
            error=error,
        )
        written = self.table.write(job.id, transition)
        job.done.set()
        if not written.done or written.row is None:
            if stored:
                self.store.discard(job, stored, written.row)
            raise LeaseLost(job.id)
        job.row = written.row
        extra = {"task_id": job.id, "submission_id": job.row.submission_id, "status": status.value}
        log.info("task finished", extra=extra | {"seconds": job.seconds, "error": error})
        self.metrics.finished(job)
        self._conclude(job, written.row)

    def _conclude(self, job: Job, row: Row) -> None:
        """Send the callback and delete the message; if that fails, a redelivery of the message repeats it."""
        try:
            self.results.notify(row)
            self.queue.delete(job.delivery)
        except (ClientError, BotoCoreError):
            log.warning("the callback could not be sent yet", exc_info=True, extra={"task_id": job.id})
            with suppress(ClientError, BotoCoreError):
                self.queue.release(job.delivery, self.first_delay_seconds)

    def _is_ours(self, job: Job, row: Row) -> bool:
        return (
            row.submission_id == job.row.submission_id and row.fence == job.row.fence and not row.status.final
        )


def _describe(error: ClientError | BotoCoreError) -> str:
    """Describe an AWS error without its text, which may contain the name of a bucket or role."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "an error")
        return f"AWS answered {code} to {error.operation_name}."
    return f"AWS did not answer: {type(error).__name__}."
