"""Looking at a queue without taking anything out of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Depth:
    """Count a queue's messages, as SQS estimates them."""

    waiting: int
    """Visible ones and delayed ones."""

    in_flight: int

    @property
    def empty(self) -> bool:
        """Tell whether the queue holds no message at all."""
        return self.waiting == self.in_flight == 0


def depth(sqs: "SQSClient", queue_url: str) -> Depth:
    """Return how many messages the queue holds, approximately: SQS promises no more."""
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
