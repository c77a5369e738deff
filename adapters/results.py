"""Telling outcomes: losers' objects go first, then the callback goes out, then the row notes it."""

from typing import TYPE_CHECKING

from adapters.litter import Litter
from adapters.table import Table
from domain.callback import callback, callback_attributes
from domain.canonical import compact
from domain.clock import now
from domain.protocol import tell
from domain.row import Row

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Results:
    """Publish callbacks on the results topic; without a table, nothing is noted."""

    def __init__(
        self,
        sns: "SNSClient",
        topic_arn: str,
        table: Table | None,
        litter: Litter | None = None,
    ) -> None:
        self._sns = sns
        self._topic_arn = topic_arn
        self._table = table
        self._litter = litter

    def tell(self, row: Row) -> None:
        """Send the callback of a finished row, then note `told_at`: at least once, never not at all.

        What the outcome does not name is deleted before: a row that is told may be replaced, and with it
        goes the only list of this attempt's fences.
        """
        if self._litter is not None:
            self._litter.clear(row)
        self.publish(row)
        if self._table is not None:
            self._table.write(row.id, tell(row, now()))

    def publish(self, row: Row) -> None:
        """Send the callback that the row stands for, without noting it (`running`)."""
        self._sns.publish(
            TopicArn=self._topic_arn,
            Message=compact(callback(row)),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in callback_attributes(row).items()
            },
        )
