"""The models that a runtime's workers reported: one item per runtime in the tasks' table.

The item's id begins with `#`, which a task's id never does. It has no attributes of an index, so it appears
in no list of tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from domain.clock import iso, now
from domain.limits import ROW_DAYS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_BYTES: Final = 200 * 1024
"""Limit for the names in a report: an item can have 400 KB, and reads are billed per 4 KB."""


@dataclass(frozen=True, slots=True)
class RuntimeReport:
    """The models that an engine lists; `complete` is false if there were too many to report."""

    models: frozenset[str]
    complete: bool


class RuntimeReports:
    """Write and read the reports."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def write(self, runtime: str, models: Sequence[str]) -> None:
        """Replace the report of a runtime."""
        moment = now()
        kept, size = [], 0
        for name in sorted(set(models)):
            size += len(name.encode(errors="replace")) + 1
            if size > MAX_BYTES:
                break
            kept.append(name.encode(errors="replace").decode())
        self._client.put_item(
            TableName=self._table,
            Item=self._key(runtime)
            | {
                "models": {"L": [{"S": name} for name in kept]},
                "complete": {"BOOL": size <= MAX_BYTES},
                "reported_at": {"S": iso(moment)},
                "expires_at": {"N": str(int((moment + timedelta(days=ROW_DAYS)).timestamp()))},
            },
        )

    def read(self, runtime: str) -> RuntimeReport | None:
        """Return the latest report of a runtime, or None if there is none."""
        item = self._client.get_item(TableName=self._table, Key=self._key(runtime)).get("Item")
        if item is None:
            return None
        names = frozenset(name["S"] for name in item.get("models", {}).get("L", ()))
        return RuntimeReport(names, complete=bool(item.get("complete", {}).get("BOOL")))

    def _key(self, runtime: str) -> dict[str, dict[str, str]]:
        return {"id": {"S": f"#models#{runtime}"}}
