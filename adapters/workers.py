"""Read what the workers of a runtime write about themselves into the tasks' table."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from adapters.listing import PENDING
from adapters.table import read_item
from domain.clock import iso, now, parse
from domain.estimate import Workers
from domain.keys import starting_partition, workers_partition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MAX_ROWS: Final = 300
"""Largest number of workers that are read, running and former ones together."""

_MAX_FORMER: Final = 20


class WorkerRows:
    """Reads the rows of `container.consumer.receiving.registry`."""

    def __init__(self, client: "DynamoDBClient", table: str, *, clock: Callable[[], datetime] = now) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def read(self, runtime: str) -> Workers:
        """Return the workers of a runtime, as of a moment ago."""
        moment = self._clock()
        rows = self._newest(workers_partition(runtime))
        running = [row for row in rows if str(row["pending_since"]) > iso(moment)]
        former = rows[len(running) :]
        starting = self._newest(starting_partition(runtime), after=iso(moment))
        return Workers(
            running=len(running),
            starting_seconds=[
                max(0.0, (moment - parse(str(row["starting_since"]))).total_seconds()) for row in starting
            ],
            speeds=[_speeds(row) for row in running],
            former_speeds=[_speeds(row) for row in former[:_MAX_FORMER]],
            start_seconds=[
                float(seconds)
                for row in rows
                if isinstance(seconds := row.get("start_seconds"), int | float) and seconds > 0
            ],
        )

    def _newest(self, partition: str, *, after: str = "") -> list[dict[str, Any]]:
        answer = self._client.query(
            TableName=self._table,
            IndexName=PENDING,
            KeyConditionExpression="pending_runtime = :partition AND pending_since > :after",
            ExpressionAttributeValues={":partition": {"S": partition}, ":after": {"S": after or "0"}},
            ScanIndexForward=False,
            Limit=_MAX_ROWS,
        )
        return [read_item(item).item for item in answer["Items"]]


def _speeds(row: Mapping[str, Any]) -> dict[str, float]:
    found = row.get("speeds")
    return {
        kind: float(seconds)
        for kind, seconds in (found.items() if isinstance(found, dict) else ())
        if isinstance(seconds, int | float) and seconds > 0
    }
