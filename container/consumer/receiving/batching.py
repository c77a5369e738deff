"""Reorder waiting messages, so that tasks with the same affinity (checkpoint) run one after the other."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from container.consumer.job import Delivery
from container.consumer.receiving.queue import SqsQueue
from container.consumer.receiving.registry import WorkerRegistry
from container.consumer.telemetry.utilization import GpuUtilization
from domain.errors import BadMessage
from domain.message import Message

MAX_GROUPS = 1000
"""How many groups are remembered; one that was forgotten counts as never served."""


@dataclass(slots=True)
class WaitingMessage:
    """A received message whose task is not claimed yet; `message` is None if it is not a valid task."""

    delivery: Delivery
    message: Message | None
    received_at: float
    affinity: str | None
    """What is expensive to load for the task; None if it needs nothing in particular."""
    times_overtaken: int = 0
    """How many messages that arrived later were preferred to it."""

    @property
    def group(self) -> str | None:
        """Return the group whose tasks take turns with those of other groups."""
        return self.message.group if self.message else None


@dataclass(slots=True)
class AffinityBatcher:
    """Receives messages and prefers those with the current affinity, as long as no message waits too long.

    Among those, the groups of tasks take turns. With `size` 1, the queue's order is kept. The oldest message
    goes first after `max_overtakes` others were preferred to it, or after it has waited here for
    `max_seconds`.
    """

    queue: SqsQueue
    size: int
    max_overtakes: int
    max_seconds: float
    receive_seconds: int
    """How long to wait for a message while there is none."""
    affinity: Callable[[dict[str, Any]], str | None]
    """Returns what is expensive to load for a task's content."""
    registry: WorkerRegistry | None = None
    """Counts the workers that share the backlog; without it, this worker takes the whole backlog."""
    clock: Callable[[], float] = time.monotonic
    gpu: GpuUtilization = field(default_factory=GpuUtilization)
    _waiting: list[WaitingMessage] = field(default_factory=list)
    _current_affinity: str | None = None
    _groups_served: dict[str | None, None] = field(default_factory=dict)
    """The groups of the last tasks, the one that was served last at the end."""
    _backlog: int = 0
    _is_closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _choosing: threading.Lock = field(default_factory=threading.Lock)
    _releasing: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> WaitingMessage | None:
        """Return the next message, or None if there is none."""
        with self._choosing:
            if not self._is_closed:
                self._fill()
            with self._lock:
                return None if self._is_closed else self._choose()

    def refresh(self) -> None:
        """Read the queue's backlog; the heartbeat calls this, so that the GPU does not wait for it."""
        self._backlog = self.queue.backlog()

    def has_more_messages_than_workers(self) -> bool:
        """Return whether more messages wait than there are workers."""
        return self._backlog + len(self._waiting) > self._workers

    def deliveries(self) -> list[Delivery]:
        """Return the received messages, which must be kept invisible."""
        with self._lock:
            return [waiting.delivery for waiting in self._waiting]

    def release(self) -> None:
        """Make all received messages visible again; nothing was claimed, so no attempt is counted."""
        with self._releasing:  # so that whoever calls this too returns only when all are visible
            with self._lock:
                released, self._waiting = self._waiting, []
            for waiting in released:
                self.queue.release(waiting.delivery, 0)

    def close(self, seconds: float) -> None:
        """Release all received messages, and those that a receive brings which is under way.

        Wait at most `seconds` for it: if it takes a message that was just released, it returns at once.
        """
        self._is_closed = True
        if self._choosing.acquire(timeout=seconds):
            self._choosing.release()
        self.release()

    def _fill(self) -> None:
        """Receive as many messages as there is room for; wait only if there are none yet."""
        waiting_count = len(self._waiting)
        room = self._share() - waiting_count
        if room <= 0:
            return
        for delivery in self._receive(
            wait_seconds=0 if waiting_count else self.receive_seconds, max_messages=room
        ):
            try:
                message = Message.decode(delivery.body)
            except BadMessage:
                message = None
            affinity = self.affinity(message.task.content) if message else None
            with self._lock:
                self._waiting.append(WaitingMessage(delivery, message, self.clock(), affinity))

    def _receive(self, *, wait_seconds: int, max_messages: int) -> list[Delivery]:
        if not wait_seconds:
            return self.queue.receive(wait_seconds=0, max_messages=max_messages)
        self.gpu.poll_begun()
        received: list[Delivery] = []
        try:
            received = self.queue.receive(wait_seconds=wait_seconds, max_messages=max_messages)
        finally:
            self.gpu.poll_ended(found=bool(received))
        return received

    def _share(self) -> int:
        """Return how many messages may be kept: never more than this consumer's share of the backlog."""
        backlog = self._backlog + len(self._waiting)
        return max(1, min(self.size, backlog // self._workers))

    @property
    def _workers(self) -> int:
        return max(1, self.registry.count if self.registry else 1)

    def _choose(self) -> WaitingMessage | None:
        if not self._waiting:
            return None
        oldest = self._waiting[0]
        waited_seconds = self.clock() - oldest.received_at
        if oldest.times_overtaken >= self.max_overtakes or waited_seconds >= self.max_seconds:
            chosen = oldest
        else:
            without_switch = list(filter(self._needs_no_switch, self._waiting))
            chosen = self._next_in_turn(without_switch or self._waiting)
        for waiting in self._waiting[: self._waiting.index(chosen)]:
            waiting.times_overtaken += 1
        self._waiting.remove(chosen)
        self._current_affinity = chosen.affinity or self._current_affinity
        self._groups_served.pop(chosen.group, None)
        self._groups_served[chosen.group] = None
        if len(self._groups_served) > MAX_GROUPS:
            del self._groups_served[next(iter(self._groups_served))]
        return chosen

    def _next_in_turn(self, candidates: list[WaitingMessage]) -> WaitingMessage:
        """Return the oldest message of the group that was served longest ago, or never."""
        turns = {group: turn for turn, group in enumerate(self._groups_served, 1)}
        return min(candidates, key=lambda waiting: turns.get(waiting.group, 0))

    def _needs_no_switch(self, waiting: WaitingMessage) -> bool:
        current = self._current_affinity
        return current is None or waiting.affinity is None or waiting.affinity == current
