"""Telling outcomes: losers' objects go first, then the callback goes out, then the row notes it."""

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from adapters.orphans import OrphanCleaner
from adapters.table import Table
from domain.callback import callback, callback_attributes
from domain.canonical import compact
from domain.clock import now
from domain.protocol import notify
from domain.row import Row

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


REFUSED_BY_SNS: Final = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"})
"""Codes by which SNS refuses a message that it could not carry, however often it were sent."""


class Results:
    """Publish callbacks on the results topic; without a table, nothing is noted."""

    def __init__(
        self,
        sns: "SNSClient",
        topic_arn: str,
        table: Table | None,
        orphans: OrphanCleaner | None = None,
    ) -> None:
        self._sns = sns
        self._topic_arn = topic_arn
        self._table = table
        self._orphans = orphans

    def notify(self, row: Row) -> None:
        """Send the callback of a finished row, then note `notified_at`: at least once, never not at all.

        What the outcome does not name is deleted before: a row that is told may be replaced, and with it
        goes the only list of this submission's fences.
        """
        if self._orphans is not None:
            self._orphans.clear(row)
        self.publish(row)
        if self._table is not None:
            self._table.write(row.id, notify(row, now()))

    def publish(self, row: Row) -> None:
        """Send the callback that the row stands for, without noting it (`running`).

        One that SNS refuses, as too long for instance, is sent in brief: a callback that could never go would
        keep its id from ever being used again.
        """
        try:
            self._send(row, callback(row))
        except ClientError as error:
            if error.response["Error"]["Code"] not in REFUSED_BY_SNS:
                raise
            self._send(row, callback(row, brief=True))

    def _send(self, row: Row, content: dict[str, Any]) -> None:
        self._sns.publish(
            TopicArn=self._topic_arn,
            Message=compact(content),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in callback_attributes(row).items()
            },
        )
