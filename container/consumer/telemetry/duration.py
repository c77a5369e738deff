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

_REMEMBERED: Final = 5
"""Number of jobs per kind for the median: it follows a change within three jobs and ignores two outliers."""

_KINDS: Final = 64
"""Bound on remembered kinds, because callers choose the names of scripts."""


class DurationEstimator:
    """Estimates when the running job will end; can be used from several threads.

    Seconds per unit of cost are learnt separately for each kind of job (a task type, a script), from the
    median of the last few, so that a single outlier changes nothing.
    """

    def __init__(
        self, changed: threading.Condition | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Notify `changed` whenever an estimate changes."""
        self._changed = changed or threading.Condition()
        self._clock = clock
        self._lock = threading.Lock()
        self._rates: dict[str, deque[float]] = {}
        self._begun: float | None = None
        self._expected = _UNKNOWN
        self._observed = False

    def begin(self, kind: str, cost: float) -> None:
        """Record that a job was sent to the engine."""
        with self._lock:
            self._begun = self._clock()
            self._expected = self._seconds(kind, cost)
            self._observed = False
        self._notify()

    def end(self, kind: str, cost: float, *, learn: bool) -> float:
        """Record that the job ended and return its duration in seconds.

        Nobody is notified: whoever woke up now would delay the request of the next job, which notifies.
        """
        with self._lock:
            seconds = self._clock() - self._begun if self._begun is not None else 0.0
            self._begun = None
            if learn:
                self._rates.setdefault(kind, deque(maxlen=_REMEMBERED)).append(seconds / cost)
                while len(self._rates) > _KINDS:
                    self._rates.pop(next(iter(self._rates)))
        return seconds

    def observe(self, fraction: float) -> None:
        """Use the engine's own progress, once it is meaningful (it is 0.01 while a model loads)."""
        with self._lock:
            if self._begun is not None and fraction > 0.05:
                self._expected = (self._clock() - self._begun) / fraction
                self._observed = True
        self._notify()

    def remaining(self) -> float:
        """Return the seconds until the GPU is free: 0 if it is idle or overdue, inf if unknown."""
        with self._lock:
            if self._begun is None:
                return 0.0
            return max(0.0, self._begun + self._expected - self._clock())

    def observed_remaining(self) -> float:
        """Return the seconds until the GPU is free by the job's own progress, inf if there is none."""
        with self._lock:
            known = self._begun is None or self._observed
        return self.remaining() if known else _UNKNOWN

    def seconds_for(self, kind: str, cost: float) -> float:
        """Return how many seconds a job will take, inf if nothing is known about its kind."""
        with self._lock:
            return self._seconds(kind, cost)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _seconds(self, kind: str, cost: float) -> float:
        rates = self._rates.get(kind)
        return statistics.median(rates) * cost if rates else _UNKNOWN


class Average:
    """A moving average of seconds, with an initial guess."""

    def __init__(self, guess: float) -> None:
        self.seconds = guess

    def add(self, seconds: float) -> None:
        """Add an observation."""
        self.seconds += _WEIGHT * (seconds - self.seconds)
