"""Send the webhook of a finished task again."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from adapters.table import Table
from adapters.webhook_records import WebhookRecords
from domain.callback import callback_content
from domain.canonical import compact_json
from domain.clock import now
from domain.row import Row
from functions.api.request_errors import no_webhook, task_not_found, webhook_not_due
from functions.log import log_fields, logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Resend:
    """Queues the final event of a task for another series of delivery attempts."""

    def __init__(
        self,
        *,
        table: Table,
        records: WebhookRecords,
        sqs: "SQSClient",
        queue_url: str,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._table = table
        self._records = records
        self._sqs = sqs
        self._queue_url = queue_url
        self._clock = clock

    def __call__(self, task_id: str) -> Row:
        """Return the row; raise InvalidTask (404, 409) if the task has no webhook for its final event."""
        row = self._table.get(task_id)
        if row is None:
            raise task_not_found(task_id)
        event = row.status.value
        record = self._records.read(row.submission_id, event) if event in row.webhook_events else None
        if not row.status.final:
            raise webhook_not_due(row)
        if record is None:
            raise no_webhook(row)
        # The record is written first, because a message is discarded if its event is recorded as delivered.
        self._records.write(record.with_new_series(), now=self._clock())
        self._sqs.send_message(
            QueueUrl=self._queue_url,
            MessageBody=compact_json(callback_content(row)),
            MessageAttributes={"webhook": {"DataType": "String", "StringValue": row.submission_id}},
        )
        logger.info("the webhook was queued again", extra=log_fields(row))
        return row
