"""Count the active workers of a runtime: each renews its entry in one row of the tasks' table."""

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from domain.clock import iso, later, now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT = timedelta(days=1)


class WorkerRegistry:
    """Counts the workers of a runtime in a row whose id begins with `#`, which a task's id never does."""

    def __init__(self, client: "DynamoDBClient", table: str, *, runtime: str, worker: str) -> None:
        self._client = client
        self._table = table
        self._key = {"id": {"S": f"#workers#{runtime}"}}
        self._me = f"worker:{worker}"
        self._gone: list[str] = []
        self.count = 1

    def renew(self, *, seconds: float) -> None:
        """Register this worker for `seconds` more, and count all workers."""
        moment = now()
        names = {"#me": self._me, "#expires": "expires_at"}
        expression = "SET #me = :until, #expires = :expires"
        if self._gone:
            names |= {f"#g{index}": name for index, name in enumerate(self._gone)}
            expression += " REMOVE " + ", ".join(f"#g{index}" for index in range(len(self._gone)))
        answer = self._client.update_item(
            TableName=self._table,
            Key=self._key,
            UpdateExpression=expression,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                ":until": {"S": later(moment, seconds)},
                ":expires": {"N": str(int((moment + _KEPT).timestamp()))},
            },
            ReturnValues="ALL_NEW",
        )
        untils = {
            name: value["S"] for name, value in answer["Attributes"].items() if name.startswith("worker:")
        }
        self._gone = [name for name, until in untils.items() if until < iso(moment)]
        self.count = max(1, len(untils) - len(self._gone))

    def leave(self) -> None:
        """Remove this worker from the registry; if that fails, its entry expires."""
        with suppress(ClientError, BotoCoreError):
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression="REMOVE #me",
                ExpressionAttributeNames={"#me": self._me},
            )
