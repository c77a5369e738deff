"""Counts of what the fake has done, for tests."""

import threading
import time
from typing import Any

MAX_JOBS = 10_000  # length of the list of jobs: enough for a soak test, but bounded


class Stats:
    """Counts jobs and model loads, and records whether two jobs ever ran at once, which must not happen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waiting = 0
        self.running = 0
        self.most_at_once = 0
        self.begun = 0
        self.ended = 0
        self.failed = 0
        self.busy_seconds = 0.0
        self.model_loads: list[str] = []
        self.jobs: list[dict[str, Any]] = []

    def loaded(self, name: str) -> None:
        """Count a load from disk."""
        with self._lock:
            self.model_loads.append(name)

    def begin(self, route: str, **facts: Any) -> dict[str, Any]:
        """Record that a job has begun; return its entry."""
        entry = {"route": route, **facts, "began": time.time(), "ended": None, "outcome": "running"}
        with self._lock:
            self.begun += 1
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
            self.jobs.append(entry)
            del self.jobs[:-MAX_JOBS]
        return entry

    def end(self, entry: dict[str, Any], outcome: str) -> None:
        """Record that a job has ended."""
        with self._lock:
            entry.update(ended=time.time(), outcome=outcome)
            self.busy_seconds += entry["ended"] - entry["began"]
            self.running -= 1
            self.ended += 1
            self.failed += outcome != "done"

    def facts(self) -> dict[str, Any]:
        """Return the counts."""
        with self._lock:
            return {
                "arrived": self.begun + self.waiting,
                "waiting": self.waiting,
                "running": self.running,
                "most_at_once": self.most_at_once,
                "begun": self.begun,
                "ended": self.ended,
                "failed": self.failed,
                "busy_seconds": round(self.busy_seconds, 6),
                "model_loads": len(self.model_loads),
                "models_loaded": list(self.model_loads),
            }
