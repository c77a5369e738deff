"""Publish the message of a row and record it, for submit and for the sweep."""

from collections.abc import Callable
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from adapters.table import Table
from adapters.tasks import Tasks
from domain.clock import now
from domain.protocol import mark_published
from domain.row import Row
from functions.log import error_fields, log_fields, logger


class Publisher:
    """Publish a row's message on the tasks topic."""

    def __init__(self, *, table: Table, tasks: Tasks, clock: Callable[[], datetime] = now) -> None:
        self._table = table
        self._tasks = tasks
        self._clock = clock

    def publish(self, row: Row) -> bool:
        """Publish, then record `published_at`; return False if AWS refused, so that the sweep tries again.

        A message whose publishing was not recorded is published twice; the claim ensures that it runs only
        once.
        """
        message = row.text("message")
        if message is None:  # the task has ended meanwhile
            return True
        try:
            self._tasks.publish(message, runtime=row.runtime, group=row.text("group"))
            self._table.write(row.id, mark_published(row, self._clock()))
        except (BotoCoreError, ClientError) as error:
            logger.error("the task was not published", extra={**log_fields(row), **error_fields(error)})
            return False
        logger.info("published", extra=log_fields(row))
        return True
