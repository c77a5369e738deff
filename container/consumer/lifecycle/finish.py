"""How a task in hand ends: finished and told, or given back."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from adapters.orphans import OrphanCleaner
from adapters.table import Table
from container.consumer.lifecycle.job import Job, LeaseLost
from container.consumer.lifecycle.outputs import Store, Stored
from container.consumer.ports import Callbacks, Queue
from container.consumer.telemetry.task_metrics import TaskMetrics
from domain.clock import now
from domain.errors import PermanentError, RetryableError, cancelled_error, outcome_error
from domain.limits import MAX_ATTEMPTS
from domain.metrics import NAMESPACE, UNKNOWN
from domain.protocol import finish, release
from domain.row import Row, Status

log = logging.getLogger(__name__)

FIRST_DELAY_SECONDS = 5
MAX_DELAY_SECONDS = 300
"""A passing fault's delay doubles from 5 s: five attempts span some two and a half minutes."""

AMBIGUOUS_ATTEMPTS = 2
"""A fault that may be anybody's gets one more try, then it is the task's."""


@dataclass(slots=True)
class Finisher:
    """End tasks: rows first, then objects and callbacks follow, the message goes last."""

    queue: Queue
    table: Table
    callbacks: Callbacks
    store: Store
    orphans: OrphanCleaner
    first_delay_seconds: int = FIRST_DELAY_SECONDS
    measures: TaskMetrics = field(default_factory=lambda: TaskMetrics(NAMESPACE, UNKNOWN))

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

    def passing(self, job: Job, fault: RetryableError, *, attempts: int = MAX_ATTEMPTS) -> None:
        """Give a task back with a growing delay, or fail it with what it met when its attempts are spent."""
        if job.row.attempts >= attempts:
            self.failed(job, fault)
            return
        delay = min(self.first_delay_seconds * 2 ** max(job.row.attempts - 1, 0), MAX_DELAY_SECONDS)
        met = outcome_error(fault.code, fault.message)
        self.release(job, count_attempt=True, delay_seconds=delay, met=met)

    def release(
        self,
        job: Job,
        *,
        count_attempt: bool,
        delay_seconds: int = 0,
        met: dict[str, str] | None = None,
    ) -> None:
        """Let go of a task so that another worker has it after `delay_seconds`."""
        written = self.table.write(job.id, release(job.row, count_attempt=count_attempt, met=met))
        if not written.done and written.row is not None and self._ours(job, written.row):
            self.cancelled(job)  # a cancel was asked for: this is its answer
            return
        job.done.set()
        log.info("task given back", extra={"task_id": job.id, "delay_seconds": delay_seconds})
        self.measures.given_back(job, spent_try=count_attempt, code=(met or {}).get("code", ""))
        self.queue.release(job.delivery, delay_seconds)

    def notify(self, row: Row) -> None:
        """Send the callback of a finished row, once nothing but its outcome's objects is left."""
        self.orphans.clear(row)
        self.callbacks.notify(row)

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
            output=stored.output if stored else None,
            error=error,
        )
        written = self.table.write(job.id, transition)
        job.done.set()
        if not written.done or written.row is None:
            if stored:
                self.store.let_go(job, stored, written.row)
            raise LeaseLost(job.id)
        job.row = written.row
        extra = {"task_id": job.id, "submission_id": job.row.submission_id, "status": status.value}
        log.info("task finished", extra=extra | {"seconds": job.seconds, "error": error})
        self.measures.finished(job)
        self._conclude(job, written.row)

    def _conclude(self, job: Job, row: Row) -> None:
        """Tell, and delete the message; what fails now is done by whoever receives the message again."""
        try:
            self.notify(row)
            self.queue.delete(job.delivery)
        except (ClientError, BotoCoreError):
            log.warning("outcome not told yet", exc_info=True, extra={"task_id": job.id})
            with suppress(ClientError, BotoCoreError):
                self.queue.release(job.delivery, self.first_delay_seconds)

    def _ours(self, job: Job, row: Row) -> bool:
        return (
            row.submission_id == job.row.submission_id and row.fence == job.row.fence and not row.status.final
        )
