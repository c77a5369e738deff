"""The runtime's SQS queue."""

import json
import threading
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from container.consumer.job import Delivery

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_BATCH = 10
"""SQS allows at most ten messages in one receive or one batch."""

REMEMBERED_RELEASES = 1000
"""More than a worker releases while one call of the heartbeat is under way."""


class SqsQueue:
    """Receives, extends, releases and deletes messages of one queue; can be used from several threads."""

    def __init__(self, client: "SQSClient", url: str, *, visibility_seconds: int) -> None:
        self._client = client
        self._url = url
        self._visibility_seconds = visibility_seconds
        self._changing = threading.Lock()
        self._released: deque[str] = deque(maxlen=REMEMBERED_RELEASES)

    def receive(self, *, wait_seconds: int, max_messages: int = 1) -> list[Delivery]:
        """Return up to `max_messages` messages, but at most 10; wait `wait_seconds` for the first one."""
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(max_messages, MAX_BATCH),
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=self._visibility_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "AWSTraceHeader"],
        )
        return [
            Delivery(
                message_id=message["MessageId"],
                receipt_handle=message["ReceiptHandle"],
                body=message["Body"],
                receive_count=int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
                trace=message.get("Attributes", {}).get("AWSTraceHeader"),
            )
            for message in response.get("Messages", [])
        ]

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> None:
        """Keep messages invisible for `seconds` from now; ignore those that were released or deleted."""
        for batch in _batches(deliveries):
            with self._changing:
                held = [delivery for delivery in batch if delivery.receipt_handle not in self._released]
                if held:
                    self._change_visibility(held, seconds)

    def release(self, delivery: Delivery, seconds: int) -> None:
        """Make a message visible again after `seconds`."""
        # Not while the heartbeat extends it: whichever call AWS executes last would decide.
        with self._changing:
            self._released.append(delivery.receipt_handle)
            self._change_visibility([delivery], seconds)

    def _change_visibility(self, deliveries: Sequence[Delivery], seconds: int) -> None:
        self._client.change_message_visibility_batch(
            QueueUrl=self._url,
            Entries=[
                {"Id": str(index), "ReceiptHandle": delivery.receipt_handle, "VisibilityTimeout": seconds}
                for index, delivery in enumerate(deliveries)
            ],
        )

    def delete(self, delivery: Delivery) -> None:
        """Delete a message from the queue."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=delivery.receipt_handle)

    def backlog(self) -> int:
        """Return the approximate number of waiting messages, without those in flight."""
        name: Literal["ApproximateNumberOfMessages"] = "ApproximateNumberOfMessages"
        response = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return int(response["Attributes"][name])

    def dead_letter(self, delivery: Delivery) -> None:
        """Move a message to the dead-letter queue at once; without such a queue, leave it where it is."""
        if self._dead_letter_url is None:
            return
        self._client.send_message(QueueUrl=self._dead_letter_url, MessageBody=delivery.body)
        self.delete(delivery)

    @cached_property
    def _dead_letter_url(self) -> str | None:
        response = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["RedrivePolicy"])
        policy = json.loads(response.get("Attributes", {}).get("RedrivePolicy", "{}"))
        arn = policy.get("deadLetterTargetArn")
        if not arn:
            return None
        return self._client.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]


def _batches(deliveries: Sequence[Delivery]) -> list[Sequence[Delivery]]:
    return [deliveries[start : start + MAX_BATCH] for start in range(0, len(deliveries), MAX_BATCH)]
