"""Count the active workers of a runtime: each renews its entry in one row of the tasks' table."""

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from domain.clock import iso, later, now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ROW_KEPT = timedelta(days=1)


class WorkerRegistry:
    """Counts the workers of a runtime in a row whose id begins with `#`, which a task's id never does."""

    def __init__(self, client: "DynamoDBClient", table: str, *, runtime: str, worker: str) -> None:
        self._client = client
        self._table = table
        self._key = {"id": {"S": f"#workers#{runtime}"}}
        self._me = f"worker:{worker}"
        self._expired: list[str] = []
        self.count = 1

    def renew(self, *, seconds: float) -> None:
        """Register this worker for `seconds` more, and count all workers."""
        moment = now()
        names = {"#me": self._me, "#expires": "expires_at"}
        expression = "SET #me = :until, #expires = :expires"
        if self._expired:
            names |= {f"#e{index}": name for index, name in enumerate(self._expired)}
            expression += " REMOVE " + ", ".join(f"#e{index}" for index in range(len(self._expired)))
        answer = self._client.update_item(
            TableName=self._table,
            Key=self._key,
            UpdateExpression=expression,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                ":until": {"S": later(moment, seconds)},
                ":expires": {"N": str(int((moment + _ROW_KEPT).timestamp()))},
            },
            ReturnValues="ALL_NEW",
        )
        expiries = {
            name: value["S"] for name, value in answer["Attributes"].items() if name.startswith("worker:")
        }
        self._expired = [name for name, expiry in expiries.items() if expiry < iso(moment)]
        self.count = max(1, len(expiries) - len(self._expired))

    def unregister(self) -> None:
        """Remove this worker from the registry; if that fails, its entry expires."""
        with suppress(ClientError, BotoCoreError):
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression="REMOVE #me",
                ExpressionAttributeNames={"#me": self._me},
            )
