"""Measure how long the GPU works, and how long it is idle although tasks wait."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

IMMEDIATE_SECONDS: Final = 0.2
"""A receive that returns a message within this time found one waiting; a longer one has waited for it."""


@dataclass(frozen=True, slots=True)
class Spent:
    """How the time since the last call was spent; the rest was idle without waiting tasks."""

    busy: float
    idle: float


class GpuUtilization:
    """Measures busy seconds, and seconds that were idle while tasks waited; can be used from several threads.

    Idle time counts unless (a) a receive waits on an empty queue and no claimed task is on its way to the
    GPU, or (b) the engine is not ready (`on` is False), because then it is unknown whether tasks wait.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._on = False
        self._busy = False
        self._ready: set[int] = set()
        self._polling_since: float | None = None
        self._last = clock()
        self._spent_busy = 0.0
        self._spent_idle = 0.0
        self._idle_while_polling = 0.0
        """Idle seconds of the current receive. They count if it returns at once, because then a message was
        waiting already."""

    @property
    def on(self) -> bool:
        """Return whether the engine is ready."""
        return self._on

    def switch(self, *, on: bool) -> None:
        """Start or stop counting idle time."""
        with self._counted():
            self._on = on

    def claimed(self, task: object) -> None:
        """Record that a task is on its way to the GPU."""
        with self._counted():
            self._ready.add(id(task))

    def done(self, task: object) -> None:
        """Record that a task is not, or no longer, on its way to the GPU."""
        with self._counted():
            self._ready.discard(id(task))

    @contextmanager
    def job(self, task: object) -> Iterator[None]:
        """Count the time inside the block as busy: model switch and inference."""
        with self._counted():
            self._busy = True
            self._ready.discard(id(task))
        try:
            yield
        finally:
            with self._counted():
                self._busy = False

    def poll_begun(self) -> None:
        """Record that a receive waits for messages while there are none."""
        with self._counted():
            self._polling_since = self._last
            self._idle_while_polling = 0.0

    def poll_ended(self, *, found: bool) -> None:
        """Record that the receive has returned."""
        with self._counted():
            began, self._polling_since = self._polling_since, None
            if found and began is not None and self._last - began < IMMEDIATE_SECONDS:
                self._spent_idle += self._idle_while_polling
            self._idle_while_polling = 0.0

    def take(self) -> Spent:
        """Return the times since the last call."""
        with self._counted():
            spent = Spent(busy=self._spent_busy, idle=self._spent_idle)
            self._spent_busy = self._spent_idle = 0.0
            return spent

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count the time until now in the current state, then let the caller change the state."""
        with self._lock:
            moment = self._clock()
            seconds, self._last = moment - self._last, moment
            if self._busy:
                self._spent_busy += seconds
            elif self._on and (self._ready or self._polling_since is None):
                self._spent_idle += seconds
            elif self._on:
                self._idle_while_polling += seconds
            yield
