"""Counts of what the fake has done, for tests."""

from typing import Any, Final

from local.fakes.stats import JobStats

REQUESTS: Final = ("interrupts", "cancels", "frees", "posted")


class Stats(JobStats):
    """Counts jobs, model loads and requests."""

    success = "success"

    def __init__(self) -> None:
        super().__init__()
        self._requests = dict.fromkeys(REQUESTS, 0)

    def count(self, name: str) -> None:
        """Count a request, which is one of `REQUESTS`."""
        with self._lock:
            self._requests[name] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        with self._lock:
            return super().to_json() | self._requests
