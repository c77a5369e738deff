"""Read a queue's depth without receiving messages."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue contains, as SQS estimates them."""

    waiting: int
    """Visible and delayed messages."""

    in_flight: int

    @property
    def seems_empty(self) -> bool:
        """Return whether SQS counts no messages; for about a minute after a send, it may not count it."""
        return self.waiting == self.in_flight == 0


def depth(sqs: "SQSClient", queue_url: str) -> Depth:
    """Return the queue's depth; SQS only gives approximate numbers."""
    attributes = sqs.get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ],
    )["Attributes"]
    return Depth(
        waiting=int(attributes["ApproximateNumberOfMessages"])
        + int(attributes["ApproximateNumberOfMessagesDelayed"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )
