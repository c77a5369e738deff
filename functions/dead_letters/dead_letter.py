"""Archive a dead-lettered message and end its task."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.archive import Archive
from adapters.deliveries import Deliveries
from adapters.results import Results
from adapters.table import Table
from domain.delivery import Action
from domain.errors import BadMessage, ErrorCode
from domain.message import Message
from domain.metrics import DEAD_LETTERED, FAILED, FAILURES_BY_CODE, UNKNOWN
from domain.row import Row, Status
from functions.log import log_fields, logger
from functions.measure import count

_NO_WORKER_FINISHED: Final = "Its message was delivered many times, but no worker finished it."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message from a dead-letter queue; `runtime` is from its attribute, if it has one."""

    id: str
    body: str
    queue: str
    runtime: str | None
    metadata: Mapping[str, str]


class DeadLetterProcessor:
    """Archive dead-lettered messages and end their tasks; metrics name only the given `runtimes`."""

    def __init__(
        self,
        *,
        table: Table,
        results: Results,
        archive: Archive,
        clock: Callable[[], datetime],
        runtimes: Container[str] = (),
    ) -> None:
        self._deliveries = Deliveries(
            table=table, on_ended=self._log_ended, unclaimed_message=_NO_WORKER_FINISHED, clock=clock
        )
        self._results = results
        self._archive = archive
        self._clock = clock
        self._runtimes = runtimes

    def __call__(self, letter: DeadLetter) -> bool:
        """Return True if the message can be deleted, False if it must be redelivered; raise AWS errors.

        The body is archived first, so that an operator can read it whatever happens next.
        """
        try:
            message = Message.decode(letter.body)
        except BadMessage as bad:
            key = self._store_body(letter, letter.runtime)
            count(DEAD_LETTERED, runtime=self._metric_runtime(letter.runtime), message_id=letter.id)
            logger.warning(
                "archived a dead-lettered message that is not a task message",
                extra={"key": key, "queue": letter.queue, "reason": str(bad)},
            )
            return True
        key = self._store_body(letter, message.task.runtime)
        fields = {
            "task_id": message.task.id,
            "submission_id": message.submission_id,
            "runtime": message.task.runtime,
        }
        logger.warning("archived a dead-lettered task", extra={**fields, "key": key, "queue": letter.queue})
        can_be_deleted = self._end_task(message)
        if can_be_deleted:
            count(DEAD_LETTERED, runtime=self._metric_runtime(message.task.runtime), message_id=letter.id)
        return can_be_deleted

    def _store_body(self, letter: DeadLetter, runtime: str | None) -> str:
        return self._archive.store(
            letter.body,
            message_id=letter.id,
            runtime=runtime,
            day=self._clock().date(),
            metadata={"queue": letter.queue, **letter.metadata},
        )

    def _metric_runtime(self, runtime: str | None) -> str:
        return runtime if runtime is not None and runtime in self._runtimes else UNKNOWN

    def _end_task(self, message: Message) -> bool:
        next_step = self._deliveries.process(message)
        if next_step is None or next_step.action is Action.WAIT:
            return False
        if next_step.action is Action.NOTIFY and next_step.row is not None:
            self._results.notify(next_step.row)
        return True

    def _log_ended(self, row: Row, code: ErrorCode) -> None:
        logger.info("task ended", extra={**log_fields(row), "code": code.value})
        if row.status is Status.FAILED:
            named = log_fields(row) | {"runtime": self._metric_runtime(row.runtime)}
            count(FAILED, FAILURES_BY_CODE, **named, code=code.value)
