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

_ROW_KEPT: Final = timedelta(days=1)


class WorkerRegistry:
    """Counts workers by an index, so that no row is written by all of them.

    A worker's row is in the index of pending rows, in a partition of its own that the sweep does not read;
    `pending_since` is the time until which the worker counts. The id begins with `#`, which a task's id never
    does.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, runtime: str, worker: str) -> None:
        self._client = client
        self._table = table
        self._partition = workers_partition(runtime)
        self._key = {"id": {"S": f"{self._partition}#{worker}"}}
        self.count = 1

    def renew(self, *, seconds: float) -> None:
        """Register this worker for `seconds` more, and count all workers."""
        moment = now()
        values: dict[str, Any] = {
            ":partition": {"S": self._partition},
            ":until": {"S": iso_after(moment, seconds)},
            ":expires": {"N": str(int((moment + _ROW_KEPT).timestamp()))},
        }
        self._client.update_item(
            TableName=self._table,
            Key=self._key,
            UpdateExpression=(
                "SET pending_runtime = :partition, pending_since = :until, expires_at = :expires"
            ),
            ExpressionAttributeValues=values,
        )
        found = self._client.query(
            TableName=self._table,
            IndexName=PENDING,
            Select="COUNT",
            KeyConditionExpression="pending_runtime = :partition AND pending_since > :now",
            ExpressionAttributeValues={":partition": values[":partition"], ":now": {"S": iso(moment)}},
        )
        self.count = max(1, found["Count"])  # the index may not show this worker yet

    def unregister(self) -> None:
        """Remove this worker from the index; if that fails, it counts until its time is over."""
        with suppress(ClientError, BotoCoreError):
            self._client.update_item(
                TableName=self._table, Key=self._key, UpdateExpression="REMOVE pending_runtime, pending_since"
            )
