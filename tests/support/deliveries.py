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

_numbers = itertools.count()


def message(task_id: str = "t", *, content: dict[str, Any] | None = None, **task: Any) -> Message:
    """Return a message of a task."""
    values: dict[str, Any] = {
        "id": task_id,
        "runtime": "r",
        "tasktype": TaskType.TEXT_TO_IMAGE,
        "prefix": "output",
        "context": None,
        "content": content or {},
        "api_version": "v1alpha2",
    }
    return Message(Task(**values | task), submission_id="a1", submitted_at="2026-11-22T17:00:00.000Z")


def delivery(body: str) -> Delivery:
    """Return a delivery with a body."""
    number = next(_numbers)
    return Delivery(message_id=f"m{number}", receipt_handle=f"h{number}", body=body)


def of_checkpoint(task_id: str, checkpoint: str | None) -> Delivery:
    """Return a delivery of a task that names a checkpoint, or none."""
    scripts = {"sd_model_checkpoint": checkpoint} if checkpoint else {}
    return delivery(message(task_id, content={"alwayson_scripts": scripts}).encode())


class FakeQueue(SqsQueue):
    """A queue in memory; received messages stay in it until they are released."""

    def __init__(self, deliveries: Iterable[Delivery] = ()) -> None:
        self.waiting = list(deliveries)
        self.released: list[tuple[Delivery, int]] = []
        self.waits: list[int] = []
        self.deleted: list[Delivery] = []
        self.dead: list[Delivery] = []

    def receive(self, *, wait_seconds: int, max_messages: int = 1) -> list[Delivery]:
        """Return the first messages, at most ten."""
        self.waits.append(wait_seconds)
        max_messages = min(max_messages, 10)
        received, self.waiting = self.waiting[:max_messages], self.waiting[max_messages:]
        return received

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> None:
        """Do nothing."""

    def release(self, delivery: Delivery, seconds: int) -> None:
        """Record the release."""
        self.released.append((delivery, seconds))

    def delete(self, delivery: Delivery) -> None:
        """Record the deletion."""
        self.deleted.append(delivery)

    def backlog(self) -> int:
        """Return the number of waiting messages."""
        return len(self.waiting)

    def dead_letter(self, delivery: Delivery) -> None:
        """Record the message."""
        self.dead.append(delivery)


class FakeTable:
    """One row or none, changed by transitions as DynamoDB would."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        self.item = item
        self.broken: Exception | None = None

    def get(self, _task_id: str) -> Row | None:
        return None if self.item is None else Row(self.item)

    def write(self, _task_id: str, transition: Transition) -> Written:
        if self.broken:
            raise self.broken
        if transition.replace and self.item is None:
            self.item = dict(transition.set)
        elif self.item is None or not transition.is_allowed(self.item):
            return Written(done=False, row=None if self.item is None else Row(self.item))
        else:
            self.item = transition.apply_to(self.item)
        return Written(done=True, row=Row(self.item))
