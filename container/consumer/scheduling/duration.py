"""When the GPU will be free: what a job takes, learnt from those before it and from its own progress."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

_WEIGHT: Final = 0.4
"""Of the newest observation in the moving averages: a few jobs suffice to follow a change."""

_UNKNOWN: Final = float("inf")


def job_cost(content: dict[str, Any]) -> float:
    """Return how much work a content asks for, in steps × megapixels × images; only ratios matter."""

    def number(name: str, default: float) -> float:
        try:
            return max(1.0, float(content.get(name) or default))
        except (TypeError, ValueError):
            return default

    pixels = number("width", 512) * number("height", 512) / 1e6
    return number("steps", 20) * pixels * number("batch_size", 1) * number("n_iter", 1)


class DurationEstimator:
    """Estimate the end of the running job; safe for use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rate: float | None = None
        self._begun: float | None = None
        self._expected = _UNKNOWN
        self._listener: Callable[[], None] = lambda: None

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, without any lock of ours, whenever the answers below change."""
        self._listener = listener

    def begin(self, cost: float) -> None:
        """Note that a job was sent."""
        with self._lock:
            self._begun = self._clock()
            self._expected = self._rate * cost if self._rate is not None else _UNKNOWN
        self._listener()

    def end(self, cost: float, *, learn: bool) -> float:
        """Note that the job ended; return its seconds."""
        with self._lock:
            seconds = self._clock() - self._begun if self._begun is not None else 0.0
            self._begun = None
            if learn:
                rate = seconds / cost
                self._rate = rate if self._rate is None else self._rate + _WEIGHT * (rate - self._rate)
        self._listener()
        return seconds

    def observe(self, fraction: float) -> None:
        """Take Web UI's own progress into account once it says something (0.01 while a model loads)."""
        with self._lock:
            if self._begun is not None and fraction > 0.05:  # noqa: PLR2004 - see above
                self._expected = (self._clock() - self._begun) / fraction
        self._listener()

    def remaining(self) -> float:
        """Return the seconds until the GPU is free: 0 when it is idle or overdue, inf when unknown."""
        with self._lock:
            if self._begun is None:
                return 0.0
            return max(0.0, self._begun + self._expected - self._clock())

    def seconds_for(self, cost: float) -> float:
        """Return what a job of `cost` will take, inf when nothing is known yet."""
        with self._lock:
            return self._rate * cost if self._rate is not None else _UNKNOWN


class Average:
    """Hold a moving average of seconds, with a first guess."""

    def __init__(self, guess: float) -> None:
        self.seconds = guess

    def add(self, seconds: float) -> None:
        """Take one observation in."""
        self.seconds += _WEIGHT * (seconds - self.seconds)
