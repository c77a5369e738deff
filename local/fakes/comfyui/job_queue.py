"""The queue of jobs and the history of finished ones."""

import heapq
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

MAX_HISTORY: Final = 10_000


@dataclass(eq=False)
class Job:
    """A queued prompt, in the form that /queue and /history show."""

    number: float
    id: str
    prompt: dict[str, Any]
    extra_data: dict[str, Any]
    outputs: list[str]
    client: str | None
    cancelled: bool = False
    created_ms: int = field(default_factory=lambda: round(time.time() * 1000))

    def as_listed(self) -> list[Any]:
        """Return the job as /queue and /history show it."""
        return [self.number, self.id, self.prompt, self.extra_data, self.outputs]


class JobQueue:
    """Gives jobs to the worker in the order of their numbers, and keeps the history."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrival_numbers = itertools.count()
        self._heap: list[tuple[float, int, Job]] = []
        self._number = 0
        self.running: list[Job] = []
        self.history: dict[str, dict[str, Any]] = {}

    def next_number(self) -> int:
        """Return the number of the next job."""
        with self._changed:
            self._number += 1
            return self._number - 1

    def put(self, job: Job) -> None:
        """Queue a job."""
        with self._changed:
            heapq.heappush(self._heap, (job.number, next(self._arrival_numbers), job))
            self._changed.notify_all()

    def take_next(self, timeout: float) -> Job | None:
        """Wait for a job and mark it as running; return None after the timeout in seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._heap, timeout):
                return None
            job = heapq.heappop(self._heap)[2]
            self.running.append(job)
            return job

    def finish(self, job: Job, entry: dict[str, Any] | None) -> None:
        """End a job; `entry` is its history, None to forget it."""
        with self._changed:
            self.running.remove(job)
            if entry is not None:
                self.history.pop(job.id, None)
                self.history[job.id] = entry
                while len(self.history) > MAX_HISTORY:
                    self.history.pop(next(iter(self.history)))

    def pending(self) -> list[Job]:
        """Return the waiting jobs in their order."""
        with self._changed:
            return [entry[2] for entry in sorted(self._heap, key=lambda entry: entry[:2])]

    def remaining(self) -> int:
        """Return the number of jobs that wait or run."""
        with self._changed:
            return len(self._heap) + len(self.running)

    def delete(self, ids: set[str] | None) -> bool:
        """Delete waiting jobs, all with None; return whether there were any."""
        with self._changed:
            remaining = [] if ids is None else [entry for entry in self._heap if entry[2].id not in ids]
            has_changed = len(remaining) != len(self._heap)
            self._heap = remaining
            heapq.heapify(self._heap)
            return has_changed

    def has_waiting(self, number: float, job_id: str) -> bool:
        """Return whether a waiting job has this number and id, which makes the real queue fail."""
        with self._changed:
            return any(entry[2].number == number and entry[2].id == job_id for entry in self._heap)
