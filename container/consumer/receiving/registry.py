"""Count the active workers of a runtime: each renews a row of its own in the tasks' table."""

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.listing import PENDING
from domain.clock import iso, iso_after, now
from domain.keys import workers_partition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ROW_LIFETIME: Final = timedelta(days=1)
"""DynamoDB deletes the row of a worker that ended without unregistering."""


class WorkerRegistry:
    """Counts workers by an index, so that no row is written by all of them.

    The rows use the index of pending tasks, in a partition that the sweep does not read. There,
    `pending_since` is the time until which a worker counts. A row's id begins with `#`, as no task's id does.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, runtime: str, worker: str) -> None:
        self._client = client
        self._table = table
        self._partition = workers_partition(runtime)
        self._key = {"id": {"S": f"{self._partition}#{worker}"}}
        self.count = 1

    def renew(self, *, seconds: float) -> None:
        """Register this worker for `seconds` more, and count all workers."""
        renewed_at = now()
        values: dict[str, Any] = {
            ":partition": {"S": self._partition},
            ":until": {"S": iso_after(renewed_at, seconds)},
            ":expires": {"N": str(int((renewed_at + _ROW_LIFETIME).timestamp()))},
        }
        self._client.update_item(
            TableName=self._table,
            Key=self._key,
            UpdateExpression=(
                "SET pending_runtime = :partition, pending_since = :until, expires_at = :expires"
            ),
            ExpressionAttributeValues=values,
        )
        response = self._client.query(
            TableName=self._table,
            IndexName=PENDING,
            Select="COUNT",
            KeyConditionExpression="pending_runtime = :partition AND pending_since > :now",
            ExpressionAttributeValues={":partition": values[":partition"], ":now": {"S": iso(renewed_at)}},
        )
        self.count = max(1, response["Count"])  # the index may not show this worker yet

    def unregister(self) -> None:
        """Remove this worker from the index; if that fails, it counts until its time is over."""
        with suppress(ClientError, BotoCoreError):
            self._client.update_item(
                TableName=self._table, Key=self._key, UpdateExpression="REMOVE pending_runtime, pending_since"
            )
