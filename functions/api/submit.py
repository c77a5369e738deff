"""Accept a task: write its row, publish its message, then record that it was published."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.results import Results
from adapters.table import Table
from adapters.tasks import Tasks
from adapters.webhook_records import WebhookRecords
from domain.clock import iso, iso_after, now, parse
from domain.envelope import Submission
from domain.errors import Fault
from domain.estimate import work_attributes
from domain.limits import API_TIMEOUT_SECONDS
from domain.message import Message
from domain.metrics import ACCEPTED
from domain.protocol import is_repeated_submit, new_row, resubmit, submit
from domain.row import Row, Status, new_submission_id
from functions.api.known_models import KnownModels
from functions.api.pending_callback import send_pending_callback
from functions.api.request_errors import id_in_use, too_many_changes
from functions.log import log_fields, logger
from functions.measure import count
from functions.publisher import Publisher
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes

_MAX_WRITES: Final = 8
"""A refused write is tried again with the new row: another request changed it. Sending a pending callback
also uses one of these tries."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The row of an accepted task; `delayed` is True if the sweep has to publish its message."""

    row: Row
    delayed: bool = False
    warnings: Sequence[Fault] = ()
    """Names that the runtime's workers did not report."""


class Submit:
    """Accept tasks; conditional writes decide races between requests for one id."""

    def __init__(
        self,
        *,
        table: Table,
        tasks: Tasks,
        results: Results,
        models: KnownModels,
        webhooks: WebhookRecords,
        types: RuntimeTypes = RUNTIME_TYPES,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._table = table
        self._tasks = tasks
        self._results = results
        self._models = models
        self._webhooks = webhooks
        self._publisher = Publisher(table=table, tasks=tasks, clock=clock)
        self._types = types
        self._clock = clock

    def __call__(
        self, submission: Submission, *, caller: str | None = None, trace: str | None = None
    ) -> Accepted:
        """Return the row, new or of an earlier submit of the same task; raise InvalidTask (400, 409).

        `caller` is the group of tasks that name none.

        An AWS error before the row is written is raised as botocore's, and nothing was accepted. After that
        the task is accepted, whatever happens to its message, because the sweep publishes it from the row.
        """
        task = submission.task
        digest = task.digest
        message: Message | None = None
        warnings: Sequence[Fault] = ()
        rules = self._types[submission.runtime.type]
        work = work_attributes(
            rules.kind(task.tasktype, task.content), rules.cost(task.tasktype, task.content)
        )
        row = self._table.get(task.id)
        for _ in range(_MAX_WRITES):
            if row is not None:
                if is_repeated_submit(row, digest, self._clock()):
                    return self._existing(row, submission, warnings if message is not None else None)
                if not row.status.final:
                    raise id_in_use(row)
                if not row.notified:
                    # A new submission replaces the row, and with it the only record of this pending callback.
                    send_pending_callback(self._results, row)
                    row = self._table.get(task.id)
                    continue
            if message is None:
                warnings = self._models.check(submission)
                message = self._message(submission, caller, trace)
            item = new_row(message, digest=digest, now=self._clock()) | work
            written = self._table.write(task.id, submit(item) if row is None else resubmit(item, row))
            if written.done and written.row is not None:
                logger.info("accepted", extra=log_fields(written.row))
                count(ACCEPTED, **log_fields(written.row))
                delayed = not self._publisher.publish(written.row)
                return Accepted(written.row, delayed=delayed, warnings=warnings)
            row = written.row
        raise too_many_changes(task.id)

    def _message(self, submission: Submission, caller: str | None, trace: str | None) -> Message:
        task, submission_id, moment = submission.task, new_submission_id(), self._clock()
        if task.webhook is not None:
            # Written before the task's row, so that no accepted task lacks its records.
            self._webhooks.create(task.webhook, task_id=task.id, submission_id=submission_id, now=moment)
        return self._tasks.move_large_content(
            Message(task, submission_id, iso(moment), group=task.group or caller, trace=trace)
        )

    def _existing(self, row: Row, submission: Submission, warnings: Sequence[Fault] | None) -> Accepted:
        """Return an existing task; publish its message if an earlier submit died after writing the row.

        The caller may not have got the answer to the earlier submit, so this one has the same warnings. They
        are looked up if `warnings` is None.
        """
        delayed = False
        if row.status is Status.QUEUED and row.text("published_at") is None:
            submitted_at = parse(str(row.item["submitted_at"]))
            if iso_after(submitted_at, API_TIMEOUT_SECONDS) < iso(self._clock()):
                delayed = not self._publisher.publish(row)
        if warnings is None:
            warnings = () if row.status.final else self._models.warnings(submission)
        return Accepted(row, delayed=delayed, warnings=warnings)
