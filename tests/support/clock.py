"""The one clock of tests: it stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""The present of tests to which the time of day means nothing."""


class FakeClock:
    """Show a time of day that only the test moves; it begins with the present one."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.time

    def forward(self, **time: float) -> None:
        """Let time pass, in `timedelta`'s words."""
        self.time += timedelta(**time)


class FakeMonotonic:
    """Show seconds, as `time.monotonic` does, that only the test moves."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds

    def forward(self, seconds: float) -> None:
        """Let seconds pass."""
        self.seconds += seconds
