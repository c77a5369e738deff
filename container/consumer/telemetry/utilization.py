"""Whether the GPU works, and whether it idles although a task waits."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

AT_HAND_SECONDS: Final = 0.2
"""A receive that brings a message so soon found it there; one that takes longer has waited for it."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Say how the time since the last look was spent; what is neither is idle while nothing waited."""

    busy: float
    idle: float


class GpuUtilization:
    """Tell busy seconds from those idle while tasks waited; safe for use from several threads.

    Idle while tasks waited is all time without a job, but two kinds: while a receive waits on an empty queue
    and no claimed task is on its way to the GPU; and while SD Web UI is not ready (`on` False), when nobody
    knows whether tasks wait.
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
        self._excused = 0.0
        """Of the receive under way: it counts after all when a message was there from its beginning."""

    @property
    def on(self) -> bool:
        """Return whether the engine is ready."""
        return self._on

    def switch(self, *, on: bool) -> None:
        """Begin or stop to count idle time."""
        with self._counted():
            self._on = on

    def claimed(self, task: object) -> None:
        """Note that a task is on its way to the GPU."""
        with self._counted():
            self._ready.add(id(task))

    def done(self, task: object) -> None:
        """Note that a task is not, or no longer, on its way to the GPU."""
        with self._counted():
            self._ready.discard(id(task))

    @contextmanager
    def job(self, task: object) -> Iterator[None]:
        """Count the time inside as busy: model switch and inference."""
        with self._counted():
            self._busy = True
            self._ready.discard(id(task))
        try:
            yield
        finally:
            with self._counted():
                self._busy = False

    def poll_begun(self) -> None:
        """Note that a receive waits for messages, with none at hand."""
        with self._counted():
            self._polling_since = self._last
            self._excused = 0.0

    def poll_ended(self, *, found: bool) -> None:
        """Note that the receive came back."""
        with self._counted():
            began, self._polling_since = self._polling_since, None
            if found and began is not None and self._last - began < AT_HAND_SECONDS:
                self._spent_idle += self._excused
            self._excused = 0.0

    def take(self) -> Spent:
        """Return what was spent since the last call."""
        with self._counted():
            spent = Spent(busy=self._spent_busy, idle=self._spent_idle)
            self._spent_busy = self._spent_idle = 0.0
            return spent

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count the time up to now as what it was, and let the caller change what it is from now on."""
        with self._lock:
            moment = self._clock()
            seconds, self._last = moment - self._last, moment
            if self._busy:
                self._spent_busy += seconds
            elif self._on and (self._ready or self._polling_since is None):
                self._spent_idle += seconds
            elif self._on:
                self._excused += seconds
            yield
