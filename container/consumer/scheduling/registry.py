"""How many consumers of a runtime are at work: each one says so in one row of the tasks' table."""

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.clock import iso, later, now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT = timedelta(days=1)


class WorkerRegistry:
    """Answer the roll with every heartbeat; the row's id begins with `#`, which no task's id does."""

    def __init__(self, client: "DynamoDBClient", table: str, *, runtime: str, worker: str) -> None:
        self._client = client
        self._table = table
        self._key = {"id": {"S": f"#workers#{runtime}"}}
        self._me = f"worker:{worker}"
        self._gone: list[str] = []
        self.present = 1

    def answer(self, *, seconds: float) -> None:
        """Say that this consumer is at work for `seconds` more, and count who else is."""
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
        self.present = max(1, len(untils) - len(self._gone))

    def leave(self) -> None:
        """Say that this consumer has left."""
        self._client.update_item(
            TableName=self._table,
            Key=self._key,
            UpdateExpression="REMOVE #me",
            ExpressionAttributeNames={"#me": self._me},
        )
