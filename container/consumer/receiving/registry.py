"""Count the active workers of a runtime: each renews a row of its own in the tasks' table."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.listing import PENDING
from domain.clock import iso, iso_after, now
from domain.estimate import kind_key
from domain.keys import starting_partition, workers_partition
from domain.limits import ROW_DAYS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ROW_LIFETIME: Final = timedelta(days=ROW_DAYS)
"""How long what a worker has measured is kept after its end, for estimates while no worker runs."""

_CLOCK_SECONDS: Final = 60.0
"""A worker that has ended is entered as if that much earlier, for readers whose clock is behind."""


class WorkerRegistry:
    """Counts workers by an index, so that no row is written by all of them.

    The rows use the index of pending tasks, in a partition that the sweep does not read. There,
    `pending_since` is the time until which a worker counts. A row's id begins with `#`, as no task's id does.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        runtime: str,
        worker: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._partition = workers_partition(runtime)
        self._starting_partition = starting_partition(runtime)
        self._key = {"id": {"S": f"{self._partition}#{worker}"}}
        self._clock = clock
        self._started_at, self._starting_since = clock(), iso(now())
        self._start_seconds: float | None = None
        self._is_ready = False
        self._is_ending = False
        self._writing = threading.Lock()
        """Held while the row is written, so that a heartbeat does not write it again after `unregister`."""
        self.count = 1

    def announce(self, *, seconds: float) -> None:
        """Record that this worker is starting, for `seconds` more; it does not count as a worker yet."""
        moment = now()
        if self._is_ready:
            self._is_ready, self._starting_since = False, iso(moment)
        self._write(
            (
                "SET pending_runtime = :partition, pending_since = :until, expires_at = :expires, "
                "starting_since = :since"
            ),
            {
                ":partition": {"S": self._starting_partition},
                ":until": {"S": iso_after(moment, seconds)},
                ":expires": {"N": str(int((moment + _ROW_LIFETIME).timestamp()))},
                ":since": {"S": self._starting_since},
            },
        )

    def renew(self, *, seconds: float, speeds: Mapping[str, float] = MappingProxyType({})) -> None:
        """Register this worker for `seconds` more with what it measured, and count all workers.

        `speeds` are seconds a unit of cost, by the kind of a job.
        """
        renewed_at = now()
        self._is_ready = True
        if self._start_seconds is None:
            self._start_seconds = self._clock() - self._started_at
        values: dict[str, Any] = {
            ":partition": {"S": self._partition},
            ":until": {"S": iso_after(renewed_at, seconds)},
            ":expires": {"N": str(int((renewed_at + _ROW_LIFETIME).timestamp()))},
            ":speeds": {"M": {kind_key(kind): {"N": f"{speed:.6g}"} for kind, speed in speeds.items()}},
            ":start": {"N": f"{self._start_seconds:.3f}"},
        }
        self._write(
            (
                "SET pending_runtime = :partition, pending_since = :until, expires_at = :expires, "
                "speeds = :speeds, start_seconds = :start REMOVE starting_since"
            ),
            values,
        )
        response = self._client.query(
            TableName=self._table,
            IndexName=PENDING,
            Select="COUNT",
            KeyConditionExpression="pending_runtime = :partition AND pending_since > :now",
            ExpressionAttributeValues={":partition": values[":partition"], ":now": {"S": iso(renewed_at)}},
        )
        self.count = max(1, response["Count"])  # the index may not show this worker yet

    def begin_end(self) -> None:
        """Write nothing more until `unregister`: a worker that ends has no engine, but starts none either."""
        self._is_ending = True

    def unregister(self) -> None:
        """Let this worker no longer count; if that fails, it counts until its time is over.

        What it has measured remains, for estimates while no worker runs.
        """
        change: dict[str, Any] = {"UpdateExpression": "REMOVE pending_runtime, pending_since"}
        if self._start_seconds is not None:
            change = {
                "UpdateExpression": "SET pending_runtime = :partition, pending_since = :ended",
                "ExpressionAttributeValues": {
                    ":partition": {"S": self._partition},
                    ":ended": {"S": iso_after(now(), -_CLOCK_SECONDS)},
                },
            }
        self._is_ending = True
        with self._writing, suppress(ClientError, BotoCoreError):
            self._client.update_item(TableName=self._table, Key=self._key, **change)

    def _write(self, expression: str, values: dict[str, Any]) -> None:
        with self._writing:
            if not self._is_ending:
                self._client.update_item(
                    TableName=self._table,
                    Key=self._key,
                    UpdateExpression=expression,
                    ExpressionAttributeValues=values,
                )
