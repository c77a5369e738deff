"""The delivery records of webhooks, in the tasks' table."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from adapters.table import read_item, write_item
from domain.limits import ROW_DAYS
from domain.webhook import DeliveryRecord, Webhook, record_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT_DAYS: Final = 2 * ROW_DAYS
"""A record is written at submit and read for as long as its task's row, which is kept from its outcome on."""


class WebhookRecords:
    """Write and read delivery records; raises botocore's errors."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def create(self, webhook: Webhook, *, task_id: str, submission_id: str, now: datetime) -> None:
        """Write a record for each event of a new submission."""
        for event in webhook.events:
            self.write(
                DeliveryRecord(task_id=task_id, submission_id=submission_id, event=event, url=webhook.url),
                now=now,
            )

    def read(self, submission_id: str, event: str) -> DeliveryRecord | None:
        """Return the record of an event, None if there is none."""
        answer = self._client.get_item(
            TableName=self._table, Key={"id": {"S": record_id(submission_id, event)}}, ConsistentRead=True
        )
        if "Item" not in answer:
            return None
        item = read_item(answer["Item"]).item
        names = [field.name for field in fields(DeliveryRecord) if field.name in item]
        return DeliveryRecord(**{name: item[name] for name in names})

    def read_all(self, submission_id: str, events: Iterable[str]) -> list[DeliveryRecord]:
        """Return the records of a submission that exist, in the order of `events`."""
        found = (self.read(submission_id, event) for event in events)
        return [record for record in found if record is not None]

    def write(self, record: DeliveryRecord, *, now: datetime) -> None:
        """Write a record."""
        expires_at = int((now + timedelta(days=_KEPT_DAYS)).timestamp())
        values = asdict(record) | {"id": record.id, "expires_at": expires_at}
        self._client.put_item(TableName=self._table, Item=write_item(values))
