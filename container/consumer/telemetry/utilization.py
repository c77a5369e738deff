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
    """How a GPU spent some time; what is missing from it was idle without waiting tasks."""

    busy_seconds: float
    idle_seconds: float
    """Idle although tasks waited."""


class GpuUtilization:
    """Measures busy seconds, and seconds that were idle while tasks waited; can be used from several threads.

    Idle time counts unless (a) a receive waits on an empty queue and no claimed task is on its way to the
    GPU, or (b) the engine is not ready, because then it is unknown whether tasks wait.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._engine_ready = False
        self._busy = False
        self._waiting: set[int] = set()
        """The identities of the tasks on their way to the GPU."""
        self._polling_since: float | None = None
        self._last_counted = clock()
        self._busy_seconds = 0.0
        self._idle_seconds = 0.0
        self._idle_while_polling = 0.0
        """Idle seconds of the current receive. They count if it returns at once, because then a message was
        waiting already."""

    @property
    def engine_ready(self) -> bool:
        """Return whether the engine is ready; idle time is counted only while it is."""
        return self._engine_ready

    @engine_ready.setter
    def engine_ready(self, ready: bool) -> None:
        with self._time_counted():
            self._engine_ready = ready

    def add_waiting(self, task: object) -> None:
        """Record that a task is on its way to the GPU."""
        with self._time_counted():
            self._waiting.add(id(task))

    def remove_waiting(self, task: object) -> None:
        """Record that a task is not, or no longer, on its way to the GPU."""
        with self._time_counted():
            self._waiting.discard(id(task))

    @contextmanager
    def busy_with(self, task: object) -> Iterator[None]:
        """Count the time inside the block as busy: model switch and inference."""
        with self._time_counted():
            self._busy = True
            self._waiting.discard(id(task))
        try:
            yield
        finally:
            with self._time_counted():
                self._busy = False

    def poll_begun(self) -> None:
        """Record that a receive waits for messages while there are none."""
        with self._time_counted():
            self._polling_since = self._last_counted
            self._idle_while_polling = 0.0

    def poll_ended(self, *, found: bool) -> None:
        """Record that the receive has returned."""
        with self._time_counted():
            began, self._polling_since = self._polling_since, None
            if found and began is not None and self._last_counted - began < IMMEDIATE_SECONDS:
                self._idle_seconds += self._idle_while_polling
            self._idle_while_polling = 0.0

    def spent_since_last_call(self) -> Spent:
        """Return how the time since the last call was spent."""
        with self._time_counted():
            spent = Spent(busy_seconds=self._busy_seconds, idle_seconds=self._idle_seconds)
            self._busy_seconds = self._idle_seconds = 0.0
            return spent

    @contextmanager
    def _time_counted(self) -> Iterator[None]:
        """Count the time until now in the current state, then let the caller change the state."""
        with self._lock:
            moment = self._clock()
            seconds, self._last_counted = moment - self._last_counted, moment
            if self._busy:
                self._busy_seconds += seconds
            elif self._engine_ready and (self._waiting or self._polling_since is None):
                self._idle_seconds += seconds
            elif self._engine_ready:
                self._idle_while_polling += seconds
            yield
