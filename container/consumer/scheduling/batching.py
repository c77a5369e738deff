"""Waiting messages looked at together, so that tasks of one checkpoint run after each other."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from container.consumer.queue import Delivery, SqsQueue
from container.consumer.scheduling.registry import WorkerRegistry
from container.consumer.telemetry.utilization import GpuUtilization
from domain.errors import BadMessage
from domain.message import Message

RECEIVE_SECONDS: Final = 5
"""Long poll: short enough that a leaving worker is not held up by it, cheap enough (one call in 5 s)."""


@dataclass(slots=True)
class Waiting:
    """Hold one received message, not claimed; `message` is None where it is not one of ours."""

    delivery: Delivery
    message: Message | None
    since: float
    checkpoint: str | None
    """What is expensive to load for the task; None where any will do."""
    overtaken: int = 0


@dataclass(slots=True)
class CheckpointBatcher:
    """Receive messages and choose the next one: of the checkpoint chosen last, while nobody waits too long.

    `size` 1 keeps the order of the queue. The oldest message goes first once `max_overtakes` others were
    preferred, or once it has waited here for `max_seconds`.
    """

    queue: SqsQueue
    size: int
    max_overtakes: int
    max_seconds: float
    affinity: Callable[[dict[str, Any]], str | None]
    """Returns what is expensive to load for a task's content."""
    registry: WorkerRegistry | None = None
    """Counts the workers that share the backlog; None: it is not shared out."""
    clock: Callable[[], float] = time.monotonic
    receive_seconds: int = RECEIVE_SECONDS
    gpu: GpuUtilization = field(default_factory=GpuUtilization)
    _waiting: list[Waiting] = field(default_factory=list)
    _chosen: str | None = None
    _backlog: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _look: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> Waiting | None:
        """Return the next message, or None when none came."""
        with self._look:
            self._fill()
            with self._lock:
                return self._choose()

    def refresh(self) -> None:
        """Look at the backlog again; called by the heartbeat, so that no GPU waits for it."""
        if self.size > 1:
            self._backlog = self.queue.backlog()

    def deliveries(self) -> list[Delivery]:
        """Return what is held here, to be kept invisible."""
        with self._lock:
            return [waiting.delivery for waiting in self._waiting]

    def release(self) -> None:
        """Make everything held here visible again; nothing was claimed, so no try is spent."""
        with self._lock:
            job, self._waiting = self._waiting, []
        for waiting in job:
            self.queue.release(waiting.delivery, 0)

    def _fill(self) -> None:
        """Receive what there is room for, and wait only when nothing is at hand."""
        have = len(self._waiting)
        room = self._share() - have
        if room <= 0:
            return
        for delivery in self._receive(wait_seconds=0 if have else self.receive_seconds, most=room):
            try:
                message = Message.decode(delivery.body)
            except BadMessage:
                message = None
            checkpoint = self.affinity(message.task.content) if message else None
            with self._lock:
                self._waiting.append(Waiting(delivery, message, self.clock(), checkpoint))

    def _receive(self, *, wait_seconds: int, most: int) -> list[Delivery]:
        if not wait_seconds:
            return self.queue.receive(wait_seconds=0, most=most)
        self.gpu.poll_begun()
        found: list[Delivery] = []
        try:
            found = self.queue.receive(wait_seconds=wait_seconds, most=most)
        finally:
            self.gpu.poll_ended(found=bool(found))
        return found

    def _share(self) -> int:
        """Return how many may be held: never more than this consumer's share of the backlog."""
        backlog = self._backlog + len(self._waiting)
        return max(1, min(self.size, backlog // max(1, self.registry.count if self.registry else 1)))

    def _choose(self) -> Waiting | None:
        if not self._waiting:
            return None
        oldest = self._waiting[0]
        waited = self.clock() - oldest.since
        due = oldest.overtaken >= self.max_overtakes or waited >= self.max_seconds or self._chosen is None
        chosen = oldest if due else next(filter(self._fits, self._waiting), oldest)
        for waiting in self._waiting[: self._waiting.index(chosen)]:
            waiting.overtaken += 1
        self._waiting.remove(chosen)
        self._chosen = chosen.checkpoint or self._chosen
        return chosen

    def _fits(self, waiting: Waiting) -> bool:
        """Tell whether a message costs no switch; one that names no checkpoint never does."""
        return waiting.checkpoint is None or waiting.checkpoint == self._chosen
