"""Collect the callbacks that workers and functions publish to the results topic (SNS), as a client would."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.emulator import Emulator

POLL_SECONDS = 20  # SQS's longest wait; a message ends it within milliseconds
CHECK_SECONDS = 0.5  # how soon a waiting caller notices that a process has ended
CLOSE = "close"  # body of the message that ends the receiving thread's long poll and the thread


@dataclass(frozen=True, kw_only=True)
class Callback:
    """A callback: the message about a task's new status."""

    body: dict[str, Any]
    attributes: dict[str, str]
    received_at: datetime


class Callbacks:
    """Receives callbacks from a queue in a thread and keeps them all."""

    def __init__(self, aws: Emulator, queue_url: str, on_callback: Callable[[Callback], None]) -> None:
        self._sqs = aws.client("sqs", read_timeout=POLL_SECONDS + 10)
        self._queue_url = queue_url
        self._on_callback = on_callback
        self._received: list[Callback] = []
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._receive_until_closed, name="callbacks", daemon=True)
        self._thread.start()

    def of_task(self, task_id: str) -> list[Callback]:
        """Return the callbacks of a task so far, in order of arrival."""
        with self._arrived:
            return [callback for callback in self._received if callback.body.get("id") == task_id]

    def wait_for(
        self,
        task_id: str,
        *,
        timeout: float,
        condition: Callable[[Callback], bool] = lambda callback: callback.body["result"] is not None,
        check: Callable[[], None] = lambda: None,
    ) -> Callback:
        """Wait for the first callback of a task that meets the condition; raise `TimeoutError` without one.

        By default that is the final callback. `check` is called regularly; it raises an exception if waiting
        has become pointless.
        """
        matches: list[Callback] = []

        def has_arrived() -> bool:
            matches[:] = [callback for callback in self.of_task(task_id) if condition(callback)]
            return bool(matches)

        seconds_left = timeout
        with self._arrived:
            while not self._arrived.wait_for(has_arrived, min(CHECK_SECONDS, seconds_left)):
                seconds_left -= CHECK_SECONDS
                check()
                if seconds_left <= 0:
                    raise TimeoutError(f"no callback of {task_id} within {timeout:g} s")
        return matches[0]

    def close(self) -> None:
        """End the receiving thread."""
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=CLOSE)
        self._thread.join(timeout=5)

    def _receive_until_closed(self) -> None:
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url,
                WaitTimeSeconds=POLL_SECONDS,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
            )
            now = datetime.now(UTC)
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
                if message["Body"] == CLOSE:
                    return
                self._add(message, now)

    def _add(self, message: dict[str, Any], now: datetime) -> None:
        attributes = message.get("MessageAttributes", {})
        callback = Callback(
            body=json.loads(message["Body"]),
            attributes={name: value["StringValue"] for name, value in attributes.items()},
            received_at=now,
        )
        with self._arrived:
            self._received.append(callback)
            self._arrived.notify_all()
        self._on_callback(callback)


@contextmanager
def collect_callbacks(
    aws: Emulator, topic_arn: str, *, on_callback: Callable[[Callback], None] = lambda _callback: None
) -> Iterator[Callbacks]:
    """Subscribe a new queue to the results topic and receive callbacks, each passed to `on_callback`."""
    sqs = aws.client("sqs")
    queue_url = sqs.create_queue(QueueName="callbacks-of-this-run")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
    aws.client("sns").subscribe(
        TopicArn=topic_arn,
        Protocol="sqs",
        Endpoint=attributes["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    callbacks = Callbacks(aws, queue_url, on_callback)
    try:
        yield callbacks
    finally:
        callbacks.close()
