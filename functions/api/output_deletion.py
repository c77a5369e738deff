"""Delete the stored objects of a finished task."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from adapters.orphans import OrphanCleaner
from adapters.results import Results
from adapters.table import Table
from domain.clock import now
from domain.protocol import record_output_deletion
from domain.row import Row
from functions.api.pending_callback import send_pending_callback
from functions.api.request_errors import not_finished, task_not_found, too_many_changes
from functions.log import log_fields, logger

_MAX_WRITES: Final = 4
"""A second attempt is needed after a pending callback was sent, and another one each time that the id is
submitted again meanwhile."""


class OutputDeletion:
    """Deletes images and output documents of finished tasks."""

    def __init__(
        self, *, table: Table, results: Results, objects: OrphanCleaner, clock: Callable[[], datetime] = now
    ) -> None:
        self._table = table
        self._results = results
        self._objects = objects
        self._clock = clock

    def __call__(self, task_id: str) -> Row:
        """Return the row, which names no objects any more; or raise InvalidTask (404, 409).

        Objects are deleted before the row says so: after an error, the same request completes the deletion.
        """
        row = self._table.get(task_id)
        for _ in range(_MAX_WRITES):
            if row is None:
                raise task_not_found(task_id)
            if not row.status.final:
                raise not_finished(row)
            if row.outputs_deleted:
                return row
            if not row.notified:
                # The callback names the objects, and a worker may be about to send it.
                send_pending_callback(self._results, row)
                row = self._table.get(task_id)
                continue
            self._objects.delete_all(row)
            written = self._table.write(task_id, record_output_deletion(row, self._clock()))
            row = written.row
            if written.done and row is not None:
                logger.info("outputs deleted", extra=log_fields(row))
                return row
        raise too_many_changes(task_id)
