"""Send final callbacks: delete orphaned objects, publish, then record `notified_at`."""

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from adapters.orphans import OrphanCleaner
from adapters.table import Table
from domain.callback import callback_attributes, callback_content
from domain.canonical import compact_json
from domain.clock import now
from domain.protocol import notify
from domain.row import Row

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


REFUSED_BY_SNS: Final = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"})
"""Error codes of SNS for a message that it will never accept, however often it is sent."""


class Results:
    """Publish callbacks on the results topic."""

    def __init__(
        self,
        sns: "SNSClient",
        topic_arn: str,
        table: Table,
        orphans: OrphanCleaner,
    ) -> None:
        self._sns = sns
        self._topic_arn = topic_arn
        self._table = table
        self._orphans = orphans

    def notify(self, row: Row) -> None:
        """Send the callback of a finished row at least once, then record `notified_at`.

        Orphaned objects are deleted first: after `notified_at` is set, the row may be replaced, and with it
        the only list of this submission's fences.
        """
        self._orphans.delete_orphans(row)
        self.publish(row)
        self._table.write(row.id, notify(row, now()))

    def publish(self, row: Row) -> None:
        """Send the callback for the row's current state, without recording that it was sent.

        If SNS refuses it, for example as too long, a brief one is sent: the id of a task whose callback can
        never be sent could never be used again.
        """
        try:
            self._send(row, callback_content(row))
        except ClientError as error:
            if error.response["Error"]["Code"] not in REFUSED_BY_SNS:
                raise
            self._send(row, callback_content(row, brief=True))

    def _send(self, row: Row, content: dict[str, Any]) -> None:
        self._sns.publish(
            TopicArn=self._topic_arn,
            Message=compact_json(content),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in callback_attributes(row).items()
            },
        )
