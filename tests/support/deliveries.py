"""Messages, deliveries, and a fake queue and table for the consumer's unit tests."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from adapters.table import Written
from container.consumer.job import Delivery
from container.consumer.receiving.queue import SqsQueue
from domain.message import Message
from domain.row import Row
from domain.task import Task
from domain.transition import Transition
from runtimes.sdwebui.task_type import TaskType

_delivery_numbers = itertools.count()


def message(task_id: str = "t", *, content: dict[str, Any] | None = None, **task: Any) -> Message:
    """Return a message with a text-to-image task; keywords override the task's attributes."""
    defaults: dict[str, Any] = {
        "id": task_id,
        "runtime": "r",
        "tasktype": TaskType.TEXT_TO_IMAGE,
        "prefix": "output",
        "context": None,
        "content": content or {},
        "api_version": "v1alpha2",
    }
    return Message(Task(**defaults | task), submission_id="a1", submitted_at="2026-11-22T17:00:00.000Z")


def delivery(body: str) -> Delivery:
    """Return a delivery with this body and with ids that no other delivery has."""
    number = next(_delivery_numbers)
    return Delivery(message_id=f"m{number}", receipt_handle=f"h{number}", body=body)


def delivery_for_checkpoint(task_id: str, checkpoint: str | None) -> Delivery:
    """Return a delivery of a task that needs this checkpoint, or with None, that names no checkpoint."""
    scripts = {"sd_model_checkpoint": checkpoint} if checkpoint else {}
    return delivery(message(task_id, content={"alwayson_scripts": scripts}).encode())


class FakeQueue(SqsQueue):
    """A queue in memory that records what is done with its messages.

    A received message never becomes visible again: a released one is only recorded.
    """

    def __init__(self, deliveries: Iterable[Delivery] = ()) -> None:
        self.visible = list(deliveries)
        self.released: list[tuple[Delivery, int]] = []
        """Released deliveries, with the seconds for which they should stay invisible."""
        self.wait_seconds: list[int] = []
        """How long each receive should wait for a message."""
        self.deleted: list[Delivery] = []
        self.dead_lettered: list[Delivery] = []

    def receive(self, *, wait_seconds: int, max_messages: int = 1) -> list[Delivery]:
        self.wait_seconds.append(wait_seconds)
        max_messages = min(max_messages, 10)  # as SQS does
        received, self.visible = self.visible[:max_messages], self.visible[max_messages:]
        return received

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> None: ...

    def release(self, delivery: Delivery, seconds: int) -> None:
        self.released.append((delivery, seconds))

    def delete(self, delivery: Delivery) -> None:
        self.deleted.append(delivery)

    def backlog(self) -> int:
        return len(self.visible)

    def dead_letter(self, delivery: Delivery) -> None:
        self.dead_lettered.append(delivery)


class FakeTable:
    """A table with one row or none, changed by transitions as in DynamoDB.

    Writes raise `write_error` when a test sets it.
    """

    def __init__(self, item: dict[str, Any] | None) -> None:
        self.item = item
        self.write_error: Exception | None = None

    def get(self, _task_id: str) -> Row | None:
        return None if self.item is None else Row(self.item)

    def write(self, _task_id: str, transition: Transition) -> Written:
        if self.write_error:
            raise self.write_error
        if transition.replace and self.item is None:
            self.item = dict(transition.set)
        elif self.item is None or not transition.is_allowed(self.item):
            return Written(done=False, row=None if self.item is None else Row(self.item))
        else:
            self.item = transition.apply_to(self.item)
        return Written(done=True, row=Row(self.item))
