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
from container.consumer.telemetry.logs import logging_about
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

        A step begins with `job.check_lease()` inside the block, because a context manager cannot skip it.
        """
        with logging_about(job):
            try:
                with self._errors_handled(job):
                    yield
            except LeaseLost:
                log.info("a job was discarded: another worker has its task, or it was cancelled")
                self.metrics.record_lease_lost(job)
                job.done.set()
            except Exception:
                # The task is not lost: its lease expires and its message is delivered again.
                log.exception("a job could not be ended: its task is delivered again when its lease expires")
                self.metrics.record_lease_lost(job)
                job.done.set()
            finally:
                if job.done.is_set():
                    job.clean_up()

    @contextmanager
    def _errors_handled(self, job: Job) -> Iterator[None]:
        try:
            yield
        except PermanentError as error:
            self.fail(job, error)
        except WorkerShutsDown:
            self.release(job, count_attempt=False)
        except AmbiguousError as error:
            self.retry(job, error, max_attempts=AMBIGUOUS_ATTEMPTS)
        except RetryableError as error:
            self.retry(job, error)
        except Interrupted:
            self.end_interrupted(job)
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

    def end_interrupted(self, job: Job) -> None:
        """End a job that was interrupted by its caller, by a shutdown, or by another client of the engine."""
        job.check_lease()
        if job.cancelled.is_set():
            self.cancel(job)
        elif self.shutting_down.is_set():
            self.release(job, count_attempt=False)
        else:
            text = "Another client of the engine interrupted the job."
            self.retry(job, RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text))

    def complete(self, job: Job, stored: Stored) -> None:
        """Finish a task with its images."""
        self._finish(job, Status.COMPLETED, stored=stored)

    def cancel(self, job: Job) -> None:
        """Finish a task that its caller cancelled."""
        self._finish(job, Status.CANCELLED, error=cancelled_error())

    def fail(self, job: Job, error: PermanentError | RetryableError) -> None:
        """Finish a task with an error, and store it together with the engine's response."""
        outcome = outcome_error(error.code, error.message)
        stored = self.store.store_failure(job, outcome, error.response)
        self._finish(job, Status.FAILED, stored=stored, error=outcome)

    def retry(self, job: Job, error: RetryableError, *, max_attempts: int = MAX_ATTEMPTS) -> None:
        """Release a task with a delay that doubles each time; fail it after its last attempt."""
        if job.row.attempts >= max_attempts:
            self.fail(job, error)
            return
        delay = min(self.first_delay_seconds * 2 ** max(job.row.attempts - 1, 0), MAX_DELAY_SECONDS)
        last_error = outcome_error(error.code, error.message)
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
        if not written.done and written.row is not None and _still_has_lease(job, written.row):
            # Then only one reason is left for the refusal: the caller has asked to cancel the task.
            self.cancel(job)
            return
        job.done.set()
        log.info("task released", extra={"task_id": job.id, "delay_seconds": delay_seconds})
        self.metrics.record_release(
            job, attempt_counted=count_attempt, code=(last_error or {}).get("code", "")
        )
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
        log.info("task finished", extra=extra | {"seconds": job.stage_seconds, "error": error})
        self.metrics.record_outcome(job)
        self._notify_and_delete(job, written.row)

    def _notify_and_delete(self, job: Job, row: Row) -> None:
        """Send the callback and delete the message; if that fails, the message's next delivery repeats it."""
        try:
            self.results.notify(row)
            self.queue.delete(job.delivery)
        except (ClientError, BotoCoreError):
            log.warning(
                "the callback could not be sent, or the message not deleted: trying again",
                exc_info=True,
                extra={"task_id": job.id},
            )
            with suppress(ClientError, BotoCoreError):
                self.queue.release(job.delivery, self.first_delay_seconds)


def _still_has_lease(job: Job, row: Row) -> bool:
    return row.submission_id == job.row.submission_id and row.fence == job.row.fence and not row.status.final


def _describe(error: ClientError | BotoCoreError) -> str:
    """Describe an AWS error without its text, which may contain the name of a bucket or role."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "an error")
        return f"AWS responded to {error.operation_name} with {code}."
    return f"AWS did not respond: {type(error).__name__}."
