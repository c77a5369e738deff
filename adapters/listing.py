"""List tasks from the table's indexes: eventually consistent, and never by a scan."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from adapters.table import read_item
from domain.row import Row, Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BY_RUNTIME_STATUS: Final = "by-runtime-status"
"""Index by `runtime_status` (`RUNTIME#STATUS`), sorted by `submitted_at_id` (`TIME#ID`). A task
is written to it five times in its life (submitted, published, running, finished, and when it leaves its
partitions); progress and leases are not projected, so heartbeats do not touch it. The partition
`RUNTIME#queued` gets four of the five."""

PENDING: Final = "pending"
"""Sparse index of tasks whose message or callback is not recorded as sent, by `pending_runtime` and
`pending_since`."""


MAX_POSITION: Final = 1000
"""The highest position that is counted; each thousand rows cost a read of about 200 KB."""


class Listing:
    """Query the indexes; the returned rows contain the projected attributes only."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def newest(self, runtime: str, status: Status, *, below: str | None, limit: int) -> list[Row]:
        """Return up to `limit` tasks, newest first, whose `submitted_at_id` is less than `below`."""
        condition = "runtime_status = :partition"
        values = {":partition": {"S": f"{runtime}#{status.value}"}}
        if below is not None:
            condition += " AND submitted_at_id < :below"
            values[":below"] = {"S": below}
        rows: list[Row] = []
        pages = self._pages(
            IndexName=BY_RUNTIME_STATUS,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )
        for page in pages:
            rows += page
            if len(rows) >= limit:
                break
        return rows[:limit]

    def ahead(self, row: Row) -> tuple[list[Row], bool]:
        """Return the tasks of a queued task's runtime that were accepted before it and are still queued.

        There are at most `MAX_POSITION`, and then the second value says whether there are more. One query of
        one page: a thousand rows of the index take about as many bytes as one page may have.
        """
        answer = self._client.query(
            TableName=self._table,
            IndexName=BY_RUNTIME_STATUS,
            ProjectionExpression="cost, cost_kind",
            KeyConditionExpression="runtime_status = :partition AND submitted_at_id < :this",
            ExpressionAttributeValues={
                ":partition": {"S": f"{row.runtime}#{Status.QUEUED.value}"},
                ":this": {"S": str(row.item["submitted_at_id"])},
            },
            Limit=MAX_POSITION + 1,
        )
        rows = [read_item(item) for item in answer["Items"]]
        return rows[:MAX_POSITION], len(rows) > MAX_POSITION

    def running(self, runtime: str) -> list[Row]:
        """Return the tasks of a runtime that run, at most `MAX_POSITION`."""
        return self.newest(runtime, Status.RUNNING, below=None, limit=MAX_POSITION)

    def oldest(self, runtime: str, status: Status, *, before: str) -> Iterator[Row]:
        """Yield the tasks submitted before a time, oldest first."""
        for page in self._pages(
            IndexName=BY_RUNTIME_STATUS,
            KeyConditionExpression="runtime_status = :partition AND submitted_at_id < :before",
            ExpressionAttributeValues={
                ":partition": {"S": f"{runtime}#{status.value}"},
                ":before": {"S": before},
            },
        ):
            yield from page

    def pending(self, runtime: str, *, before: str) -> Iterator[str]:
        """Yield the ids of tasks with an unsent message or callback since before a time, longest first."""
        for page in self._pages(
            IndexName=PENDING,
            KeyConditionExpression="pending_runtime = :runtime AND pending_since < :before",
            ExpressionAttributeValues={":runtime": {"S": runtime}, ":before": {"S": before}},
        ):
            yield from (row.id for row in page)

    def _pages(self, **query: Any) -> Iterator[list[Row]]:
        for page in self._client.get_paginator("query").paginate(TableName=self._table, **query):
            yield [read_item(item) for item in page["Items"]]
