"""Republish lost messages, fail tasks older than their queue's retention, and send missing callbacks.

Every step is safe to repeat and to run concurrently with everything else, because conditional writes decide.
A run processes what the table's indexes list, oldest first, and stops in time; the next run continues.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from adapters.listing import Listing
from adapters.queues import Depth
from adapters.results import Results
from adapters.table import Table
from domain.clock import iso
from domain.delivery import remaining_lease_seconds
from domain.errors import CANCELLED_BY_CALLER, NOT_STARTED, ErrorCode
from domain.limits import API_TIMEOUT_SECONDS, QUEUE_RETENTION_DAYS, VISIBILITY_SECONDS
from domain.metrics import FAILED, FAILURES_BY_CODE, SWEPT
from domain.protocol import end_unclaimed
from domain.routing import Runtime, Runtimes
from domain.row import ACTIVE, Row, Status, is_expired
from functions.log import error_fields, log_fields, logger
from functions.measure import count
from functions.publisher import Publisher

STUCK_SECONDS: Final = 300
"""A published task is published again after this time if its queue is empty. This is longer than a message
may be invisible between two receives. The filter policy of a fresh deployment can take up to 15 minutes to
apply (AWS); until then each run publishes again, which is harmless."""

CALLBACK_GRACE_SECONDS: Final = 2 * VISIBILITY_SECONDS
"""How long whoever finished a task has to send its callback before the sweep sends it. After half of that
time the task's message is redelivered, and another worker sends the callback."""

DEPTH_READINGS: Final = 3
READING_PAUSE_SECONDS: Final = 5.0
"""SQS's counts are approximate and come from a sample of its servers, so a queue is empty only if several
readings say so."""

_EXPIRED: Final = f"No worker finished it within the {QUEUE_RETENTION_DAYS} days that its queue keeps a task."


@dataclass(slots=True)
class Report:
    """How many tasks a run republished, expired, …; `unfinished` is True if it ran out of time."""

    republished: int = 0
    expired: int = 0
    notified: int = 0
    failed: int = 0
    unfinished: bool = False


SweepStep = Callable[[Row, Report], None]


class Sweep:
    """Sweep the tasks of all runtimes; `pause` waits between two readings of a queue's depth."""

    def __init__(
        self,
        *,
        runtimes: Runtimes,
        table: Table,
        listing: Listing,
        publisher: Publisher,
        results: Results,
        depth: Callable[[str], Depth],
        clock: Callable[[], datetime],
        pause: Callable[[float], None],
    ) -> None:
        self._runtimes = runtimes
        self._table = table
        self._listing = listing
        self._publisher = publisher
        self._results = results
        self._depth = depth
        self._clock = clock
        self._pause = pause

    def __call__(self, time_is_left: Callable[[], bool]) -> Report:
        """Sweep until done or until `time_is_left` is False; an AWS error skips one task, not the run."""
        report = Report()
        for step, task_id in self._due_tasks():
            if not time_is_left():
                report.unfinished = True
                break
            self._sweep_task(task_id, step, report)
        logger.info("swept", extra=asdict(report))
        return report

    def _due_tasks(self) -> Iterator[tuple[SweepStep, str]]:
        """Yield task ids, each with the step that its task may need."""
        for runtime in self._runtimes:
            yield from ((self._send_pending, task_id) for task_id in self._pending_ids(runtime))
            yield from ((self._expire, task_id) for task_id in self._expired_ids(runtime))
            yield from ((self._publish, task_id) for task_id in self._stuck_ids(runtime))

    def _pending_ids(self, runtime: Runtime) -> Iterator[str]:
        """Yield tasks with a message or callback that has been pending for longer than a request can last."""
        return self._listing.pending(runtime.name, before=self._time_ago(API_TIMEOUT_SECONDS))

    def _expired_ids(self, runtime: Runtime) -> Iterator[str]:
        before = self._time_ago(QUEUE_RETENTION_DAYS * 86400)
        for status in ACTIVE:
            yield from (row.id for row in self._listing.oldest(runtime.name, status, before=before))

    def _stuck_ids(self, runtime: Runtime) -> Iterator[str]:
        """Yield active tasks that were published a while ago although their queue seems empty."""
        before = self._time_ago(STUCK_SECONDS)
        queue_seems_empty: bool | None = None
        for status in ACTIVE:
            for row in self._listing.oldest(runtime.name, status, before=before):
                published_at = row.text("published_at")
                if published_at is None or published_at > before:
                    continue
                if queue_seems_empty is None:
                    queue_seems_empty = self._seems_empty(runtime)
                if not queue_seems_empty:
                    return
                yield row.id

    def _seems_empty(self, runtime: Runtime) -> bool:
        """Return whether several readings in a row say that the queue is empty."""
        for reading in range(DEPTH_READINGS):
            if reading:
                self._pause(READING_PAUSE_SECONDS)
            if not self._depth(runtime.queue_url).seems_empty:
                return False
        return True

    def _time_ago(self, seconds: float) -> str:
        return iso(self._clock() - timedelta(seconds=seconds))

    def _sweep_task(self, task_id: str, step: SweepStep, report: Report) -> None:
        """Run the step with the current row, because the index may be stale; skip tasks with a live lease."""
        try:
            row = self._table.get(task_id)
            if row is not None and not remaining_lease_seconds(row, self._clock()):
                step(row, report)
        except Exception as error:  # noqa: BLE001 - one bad row must not stop the sweep
            report.failed += 1
            logger.error("a task could not be swept", extra={"task_id": task_id, **error_fields(error)})

    def _send_pending(self, row: Row, report: Report) -> None:
        """Send what has not been sent yet: the message, or the callback of an outcome."""
        if not row.status.final:
            if row.start_is_overdue(iso(self._clock())):
                self._end(row, report, ErrorCode.TASK_EXPIRED, NOT_STARTED)
            elif row.text("published_at") is None:
                self._publish(row, report)
        elif not row.notified and (row.text("finished_at") or "") < self._time_ago(CALLBACK_GRACE_SECONDS):
            self._notify(row, report)
            count(SWEPT, **log_fields(row), action="notified")

    def _publish(self, row: Row, report: Report) -> None:
        if row.status.final or is_expired(row, self._clock()):
            return
        if self._publisher.publish(row):
            report.republished += 1
            count(SWEPT, **log_fields(row), action="republished")
        else:
            report.failed += 1

    def _expire(self, row: Row, report: Report) -> None:
        if is_expired(row, self._clock()):
            self._end(row, report, ErrorCode.TASK_EXPIRED, _EXPIRED)

    def _end(self, row: Row, report: Report, code: ErrorCode, message: str) -> None:
        if row.cancel_requested:
            code, message = ErrorCode.CANCELLED, CANCELLED_BY_CALLER
        change = end_unclaimed(row, now=self._clock(), code=code, message=message)
        written = self._table.write(row.id, change)
        if written.done and written.row is not None:
            report.expired += 1
            count(SWEPT, **log_fields(row), action="expired")
            if written.row.status is Status.FAILED:
                count(FAILED, FAILURES_BY_CODE, **log_fields(row), code=code.value)
            self._notify(written.row, report)

    def _notify(self, row: Row, report: Report) -> None:
        self._results.notify(row)
        report.notified += 1
        logger.info("notified", extra={**log_fields(row), "status": row.status.value})
