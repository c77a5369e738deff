"""Counts that every fake keeps of its jobs, for tests."""

import threading
import time
from typing import Any, Final

MAX_JOBS: Final = 10_000  # length of the list of jobs: enough for a soak test, but bounded


class JobStats:
    """Counts jobs and model loads; `success` is the outcome of a job that did not fail."""

    success = "done"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.begun = 0
        self.ended = 0
        self.failed = 0
        self.busy_seconds = 0.0
        self.model_loads: list[str] = []
        self.jobs: list[dict[str, Any]] = []

    def loaded(self, name: str) -> None:
        """Count a model that was loaded from disk."""
        with self._lock:
            self.model_loads.append(name)

    def begin(self, **facts: Any) -> dict[str, Any]:
        """Record that a job has begun; return its entry."""
        entry = {**facts, "began": time.time(), "ended": None, "outcome": "running"}
        with self._lock:
            self.begun += 1
            self.jobs.append(entry)
            del self.jobs[:-MAX_JOBS]
        return entry

    def end(self, entry: dict[str, Any], outcome: str) -> None:
        """Record that a job has ended."""
        with self._lock:
            entry.update(ended=time.time(), outcome=outcome)
            self.busy_seconds += entry["ended"] - entry["began"]
            self.ended += 1
            self.failed += outcome != self.success

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        with self._lock:
            return {
                "begun": self.begun,
                "ended": self.ended,
                "failed": self.failed,
                "busy_seconds": round(self.busy_seconds, 6),
                "model_loads": len(self.model_loads),
                "models_loaded": list(self.model_loads),
            }
