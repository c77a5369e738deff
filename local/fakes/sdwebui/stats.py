"""Counts of what the fake has done, for tests."""

from typing import Any

from local.fakes.stats import JobStats


class Stats(JobStats):
    """Counts jobs and model loads, and records whether two jobs ever ran at once, which must not happen."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.running = 0
        self.max_running = 0

    def begin(self, **facts: Any) -> dict[str, Any]:
        """Record that a job has begun; return its entry."""
        with self._lock:
            self.running += 1
            self.max_running = max(self.max_running, self.running)
            return super().begin(**facts)

    def end(self, entry: dict[str, Any], outcome: str) -> None:
        """Record that a job has ended."""
        with self._lock:
            self.running -= 1
            super().end(entry, outcome)

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        with self._lock:
            return super().to_json() | {
                "arrived": self.begun + self.waiting,
                "waiting": self.waiting,
                "running": self.running,
                "max_running": self.max_running,
            }
