"""The tasks' table in DynamoDB: one row per task, changed only by the protocol's transitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from adapters.expressions import Expressions
from domain.body import load_json
from domain.canonical import compact_json
from domain.errors import InvalidTask
from domain.row import Row
from domain.transition import Transition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_JSON_ATTRIBUTES = frozenset({"context"})
"""Stored as JSON text: a context may be deeper than DynamoDB's 32 levels and contain any number."""

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a conditional write: the new row, or if refused the existing row (None: no row)."""

    done: bool
    row: Row | None


class Table:
    """Read and change rows; errors of DynamoDB other than a refused condition are raised as botocore's."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self.name = name

    def get(self, task_id: str) -> Row | None:
        """Return the row (strongly consistent read), or None."""
        answer = self._client.get_item(TableName=self.name, Key={"id": {"S": task_id}}, ConsistentRead=True)
        return read_item(answer["Item"]) if "Item" in answer else None

    def cancel_requested(self, task_id: str, submission_id: str) -> bool:
        """Return whether the caller of a submission asked to cancel it.

        The read is eventually consistent, at half the price, because it is repeated while the task runs.
        """
        answer = self._client.get_item(
            TableName=self.name,
            Key={"id": {"S": task_id}},
            ProjectionExpression="submission_id, cancel_requested",
        )
        row = read_item(answer["Item"]) if "Item" in answer else None
        return row is not None and row.cancel_requested and row.item.get("submission_id") == submission_id

    def write(self, task_id: str, transition: Transition) -> Written:
        """Perform one transition if its conditions hold."""
        expressions = Expressions()
        condition = expressions.condition(transition)
        common: dict[str, Any] = {
            "TableName": self.name,
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            if transition.replace:
                self._client.put_item(
                    Item=write_item(transition.set),
                    **common,
                    **_placeholders(expressions),
                )
                return Written(done=True, row=Row(dict(transition.set)))
            common["UpdateExpression"] = expressions.update(transition)
            answer = self._client.update_item(
                Key={"id": {"S": task_id}},
                ReturnValues="ALL_NEW",
                **common,
                **_placeholders(expressions),
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            old: Any = refused.response.get("Item")
            row = read_item(old) if old else None
            return Written(done=row is not None and transition.is_already_applied(row.item), row=row)
        return Written(done=True, row=read_item(answer["Attributes"]))


def _placeholders(expressions: Expressions) -> dict[str, Any]:
    result: dict[str, Any] = {"ExpressionAttributeNames": expressions.names}
    if expressions.values:
        result["ExpressionAttributeValues"] = {
            name: _serialize(_to_stored(value)) for name, value in expressions.values.items()
        }
    return result


def write_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert plain JSON values to a DynamoDB item, without those that are None."""
    return {
        name: _serialize(compact_json(value) if name in _JSON_ATTRIBUTES else _to_stored(value))
        for name, value in item.items()
        if value is not None or name in _JSON_ATTRIBUTES
    }


def read_item(item: Mapping[str, Any]) -> Row:
    """Convert a DynamoDB item to a row of plain JSON values."""
    values = {name: _from_stored(_deserialize(value)) for name, value in item.items()}
    for name in _JSON_ATTRIBUTES & values.keys():
        values[name] = _from_json(values[name])
    return Row(values)


def _from_json(value: Any) -> Any:
    """Parse a JSON text; return anything else that was written in its place unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return load_json(value)
    except (ValueError, RecursionError, InvalidTask):
        return value


def _to_stored(value: Any) -> Any:
    """Convert floats to decimals, which DynamoDB requires."""
    return Decimal(str(value)) if isinstance(value, float) else value


def _from_stored(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list):
        return [_from_stored(item) for item in value]
    if isinstance(value, dict):
        return {key: _from_stored(item) for key, item in value.items()}
    return value
