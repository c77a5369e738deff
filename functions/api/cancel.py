"""Cancel a task: at once while it is queued, through its worker while it runs."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.results import Results
from adapters.table import Table
from domain.clock import now
from domain.protocol import cancel_queued, request_cancel
from domain.row import Row, Status
from functions.api.request_errors import already_finished, task_not_found, too_many_changes
from functions.log import error_fields, log_fields, logger

_MAX_WRITES: Final = 8
"""A refused write is tried again with the new row. Every refusal means that the task changed its status, and
there are only five statuses, so eight are enough unless the id is submitted again and again."""


class Cancel:
    """Cancel tasks; the first conditional write of an outcome wins."""

    def __init__(self, *, table: Table, results: Results, clock: Callable[[], datetime] = now) -> None:
        self._table = table
        self._results = results
        self._clock = clock

    def __call__(self, task_id: str) -> Row:
        """Return the row, `cancelled` or still `running` with the request recorded; or raise InvalidTask."""
        row = self._table.get(task_id)
        for _ in range(_MAX_WRITES):
            if row is None:
                raise task_not_found(task_id)
            if row.status.final:
                raise already_finished(row)
            change = cancel_queued if row.status is Status.QUEUED else request_cancel
            written = self._table.write(task_id, change(row, self._clock()))
            row = written.row
            if written.done and row is not None:
                logger.info("cancel accepted", extra={**log_fields(row), "status": row.status.value})
                if row.status.final:
                    self._notify(row)
                return row
        raise too_many_changes(task_id)

    def _notify(self, row: Row) -> None:
        """Send the callback; if that fails, the task stays cancelled and the sweep sends it later."""
        try:
            self._results.notify(row)
        except (BotoCoreError, ClientError) as error:
            logger.error(
                "the callback was not sent; the sweep will send it",
                extra={**log_fields(row), **error_fields(error)},
            )
