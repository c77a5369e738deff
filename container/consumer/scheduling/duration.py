"""When the GPU will be free: what a job takes, learnt from those before it and from its own progress."""

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_WEIGHT: Final = 0.4
"""Of the newest observation in the moving averages: a few jobs suffice to follow a change."""

_UNKNOWN: Final = float("inf")

_REMEMBERED: Final = 5
"""Jobs of one kind whose median counts: follows a change within three, and two odd ones do not move it."""

_KINDS: Final = 64
"""A script's name is its caller's: what is remembered is bounded."""


class DurationEstimator:
    """Estimate the end of the running job; safe for use from several threads.

    Seconds per unit of cost are learnt apart for each kind of job (a task type, a script), from the median of
    the last few: one odd job changes nothing.
    """

    def __init__(
        self, changed: threading.Condition | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Notify all who wait for `changed` whenever an answer changes."""
        self._changed = changed or threading.Condition()
        self._clock = clock
        self._lock = threading.Lock()
        self._rates: dict[str, deque[float]] = {}
        self._begun: float | None = None
        self._expected = _UNKNOWN
        self._observed = False

    def begin(self, kind: str, cost: float) -> None:
        """Note that a job was sent."""
        with self._lock:
            self._begun = self._clock()
            self._expected = self._seconds(kind, cost)
            self._observed = False
        self._notify()

    def end(self, kind: str, cost: float, *, learn: bool) -> float:
        """Note that the job ended; return its seconds."""
        with self._lock:
            seconds = self._clock() - self._begun if self._begun is not None else 0.0
            self._begun = None
            if learn:
                self._rates.setdefault(kind, deque(maxlen=_REMEMBERED)).append(seconds / cost)
                while len(self._rates) > _KINDS:
                    self._rates.pop(next(iter(self._rates)))
        self._notify()
        return seconds

    def observe(self, fraction: float) -> None:
        """Take the engine's own progress into account once it says something (0.01 while a model loads)."""
        with self._lock:
            if self._begun is not None and fraction > 0.05:  # noqa: PLR2004 - see above
                self._expected = (self._clock() - self._begun) / fraction
                self._observed = True
        self._notify()

    def remaining(self) -> float:
        """Return the seconds until the GPU is free: 0 when it is idle or overdue, inf when unknown."""
        with self._lock:
            if self._begun is None:
                return 0.0
            return max(0.0, self._begun + self._expected - self._clock())

    def observed_remaining(self) -> float:
        """Return the seconds until the GPU is free by the running job's own progress, inf without any."""
        with self._lock:
            known = self._begun is None or self._observed
        return self.remaining() if known else _UNKNOWN

    def seconds_for(self, kind: str, cost: float) -> float:
        """Return what a job will take, inf when nothing is known of its kind."""
        with self._lock:
            return self._seconds(kind, cost)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _seconds(self, kind: str, cost: float) -> float:
        rates = self._rates.get(kind)
        return statistics.median(rates) * cost if rates else _UNKNOWN


class Average:
    """Hold a moving average of seconds, with a first guess."""

    def __init__(self, guess: float) -> None:
        self.seconds = guess

    def add(self, seconds: float) -> None:
        """Take one observation in."""
        self.seconds += _WEIGHT * (seconds - self.seconds)
