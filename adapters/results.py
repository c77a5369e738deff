"""Telling outcomes: losers' objects go first, then the callback goes out, then the row notes it."""

from typing import TYPE_CHECKING

from adapters.orphans import OrphanCleaner
from adapters.table import Table
from domain.callback import callback, callback_attributes
from domain.canonical import compact
from domain.clock import now
from domain.protocol import notify
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
        """Send the callback that the row stands for, without noting it (`running`)."""
        self._sns.publish(
            TopicArn=self._topic_arn,
            Message=compact(callback(row)),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in callback_attributes(row).items()
            },
        )
