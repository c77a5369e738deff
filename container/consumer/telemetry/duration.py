"""Estimate when the GPU will be free, from earlier jobs and from the progress of the running one."""

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_WEIGHT: Final = 0.4
"""Weight of the newest observation in the moving averages: they follow a change within a few jobs."""

_UNKNOWN: Final = float("inf")

_JOBS_PER_KIND: Final = 5
"""The median of so many jobs follows a change within three jobs and ignores two outliers."""

_MAX_KINDS: Final = 64
"""Bounds the memory, because callers choose the names of scripts and with them the kinds of jobs."""

_REPORTED_KINDS: Final = 16
"""How many kinds a worker reports to the API; each heartbeat writes them."""

_MIN_PROGRESS: Final = 0.05
"""An engine may report a little progress while a model loads, which says nothing about the job's length."""


class DurationEstimator:
    """Estimates when the running job will end; can be used from several threads.

    For each kind of job (a task type, a script) it uses the median of the last jobs' seconds per unit of
    cost, so that a single outlier changes nothing.
    """

    def __init__(
        self, changed: threading.Condition | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Notify `changed` whenever an estimate changes."""
        self._changed = changed or threading.Condition()
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds_per_cost: dict[str, deque[float]] = {}
        self._started_at: float | None = None
        self._expected_seconds = _UNKNOWN
        self._has_progress = False

    def begin(self, kind: str, cost: float) -> None:
        """Record that a job was sent to the engine."""
        with self._lock:
            self._started_at = self._clock()
            self._expected_seconds = self._seconds(kind, cost)
            self._has_progress = False
        self._notify()

    def end(self, kind: str, cost: float, *, learn: bool) -> float:
        """Record that the job ended and return its duration in seconds.

        Waiting threads are not notified: they would delay the next job's request. `begin` notifies them.
        """
        with self._lock:
            seconds = self._clock() - self._started_at if self._started_at is not None else 0.0
            self._started_at = None
            if learn:
                observations = self._seconds_per_cost.setdefault(kind, deque(maxlen=_JOBS_PER_KIND))
                observations.append(seconds / cost)
                while len(self._seconds_per_cost) > _MAX_KINDS:
                    self._seconds_per_cost.pop(next(iter(self._seconds_per_cost)))
        return seconds

    def observe(self, fraction: float) -> None:
        """Estimate from the fraction of the running job that the engine reports as done."""
        with self._lock:
            if self._started_at is not None and fraction > _MIN_PROGRESS:
                self._expected_seconds = (self._clock() - self._started_at) / fraction
                self._has_progress = True
        self._notify()

    def remaining(self) -> float:
        """Return the seconds until the GPU is free: 0 if it is idle or overdue, inf if unknown."""
        with self._lock:
            if self._started_at is None:
                return 0.0
            return max(0.0, self._started_at + self._expected_seconds - self._clock())

    def observed_remaining(self) -> float:
        """Return the same as `remaining`, but inf for a job that has reported no progress."""
        with self._lock:
            is_observed = self._started_at is None or self._has_progress
        return self.remaining() if is_observed else _UNKNOWN

    def seconds_for(self, kind: str, cost: float) -> float:
        """Return how many seconds a job will take, inf if no job of its kind has ended yet."""
        with self._lock:
            return self._seconds(kind, cost)

    def speeds(self) -> dict[str, float]:
        """Return the seconds a unit of cost, by the kinds of the last jobs."""
        with self._lock:
            known = list(self._seconds_per_cost.items())[-_REPORTED_KINDS:]
            return {kind: statistics.median(observations) for kind, observations in known}

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _seconds(self, kind: str, cost: float) -> float:
        observations = self._seconds_per_cost.get(kind)
        return statistics.median(observations) * cost if observations else _UNKNOWN


class Average:
    """A moving average of seconds, with an initial estimate."""

    def __init__(self, initial_seconds: float) -> None:
        self.seconds = initial_seconds

    def add(self, seconds: float) -> None:
        """Add an observation."""
        self.seconds += _WEIGHT * (seconds - self.seconds)
