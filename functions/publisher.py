"""Publishing the message that a row holds, and noting it: submit and the sweep both do."""

from collections.abc import Callable
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from adapters.table import Table
from adapters.tasks import Tasks
from domain.clock import now
from domain.protocol import mark_published
from domain.row import Row
from functions.log import about, about_error, logger


class Publisher:
    """Publish a row's message on the tasks topic."""

    def __init__(self, *, table: Table, tasks: Tasks, clock: Callable[[], datetime] = now) -> None:
        self._table = table
        self._tasks = tasks
        self._clock = clock

    def publish(self, row: Row) -> bool:
        """Publish, then note `published_at`; False when AWS refused, and then the sweep does it again.

        A message that went out unnoted goes out twice: the claim sees to it that it runs once.
        """
        message = row.text("message")
        if message is None:  # it finished meanwhile
            return True
        try:
            self._tasks.publish(message, runtime=row.runtime)
            self._table.write(row.id, mark_published(row, self._clock()))
        except (BotoCoreError, ClientError) as error:
            logger.error("the task was not published", extra={**about(row), **about_error(error)})
            return False
        logger.info("published", extra=about(row))
        return True
