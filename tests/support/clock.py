"""Clocks that only a test moves."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""The time in tests that do not depend on it."""


class FakeClock:
    """A time of day that only the test moves, beginning with the present."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.time

    def forward(self, **time: float) -> None:
        """Move the clock forward; the arguments are those of `timedelta`."""
        self.time += timedelta(**time)


class FakeMonotonic:
    """Seconds as of `time.monotonic`, which only the test moves."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds

    def forward(self, seconds: float) -> None:
        """Move the clock forward."""
        self.seconds += seconds
