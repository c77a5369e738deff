"""What the worker needs of the world; the entry point wires what fulfils it."""

from collections.abc import Sequence
from typing import Any, Protocol

from container.consumer.queue import Delivery
from domain.row import Row


class Queue(Protocol):
    """Hold the runtime's messages."""

    def receive(self, *, wait_seconds: int, most: int = 1) -> list[Delivery]:
        """Return up to `most` messages, after `wait_seconds` none."""

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> None:
        """Keep messages invisible for `seconds` more."""

    def release(self, delivery: Delivery, seconds: int) -> None:
        """Make a message visible again after `seconds`."""

    def delete(self, delivery: Delivery) -> None:
        """Take a message from the queue for good."""

    def backlog(self) -> int:
        """Return about how many messages wait."""

    def dead_letter(self, delivery: Delivery) -> None:
        """Move a message that is not ours to the dead-letter queue, body and all."""


class Inputs(Protocol):
    """Turn a task's links into what they point to."""

    def resolve(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content with every link of an image field replaced by base64."""


class Models(Protocol):
    """Have the models that a task needs where Web UI finds them."""

    def ensure(self, content: dict[str, Any]) -> dict[str, Any]:
        """Fetch what is missing, and return the content with the names that Web UI knows its models by."""

    def switch(self, content: dict[str, Any]) -> str | None:
        """Make Web UI use the task's checkpoint; called between jobs. Return its name, None for any."""

    def failed(self, fault: Exception) -> None:
        """Take note that the job after a switch failed: Web UI may have lost its checkpoint."""

    def leave(self) -> None:
        """End a running fetch: the worker leaves."""


class Callbacks(Protocol):
    """Tell callers about their tasks."""

    def notify(self, row: Row) -> None:
        """Send the final callback and note it."""

    def publish(self, row: Row) -> None:
        """Send a callback without noting it."""
