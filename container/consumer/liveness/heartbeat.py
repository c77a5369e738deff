"""One heartbeat for everything in hand: visibility and leases, renewed together."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from container.consumer.lifecycle.job import Job
from container.consumer.ports import Queue, State
from container.consumer.queue import Delivery
from domain.clock import now
from domain.protocol import renew

log = logging.getLogger(__name__)

MAX_BEAT_SECONDS: Final = 5.0
"""So fast a cancel is noticed and progress written; visibility alone would do with a third of its timeout."""

BEATS_PER_LEASE: Final = 3
"""One beat may be lost, and the next be late, before anything runs out."""


class Heartbeat:
    """Renew what is held until it is settled.

    `on_stop` is called when a running task must be stopped, `waiting` names messages that are held unclaimed,
    `at_work` is called with every beat.
    """

    def __init__(
        self,
        queue: Queue,
        state: State,
        *,
        lease_seconds: int,
        observe: Callable[[], float | None],
        on_stop: Callable[[Job], None],
        waiting: Callable[[], list[Delivery]] = list,
        at_work: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue = queue
        self._state = state
        self._lease_seconds = lease_seconds
        self._interval = min(MAX_BEAT_SECONDS, lease_seconds / BEATS_PER_LEASE)
        self._observe = observe
        self._on_stop = on_stop
        self._waiting = waiting
        self._at_work = at_work
        self._jobs: list[Job] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._last_beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat, the first time at once: the window needs the backlog before the first task."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Stop beating."""
        self._stop.set()

    @property
    def alive(self) -> bool:
        """Tell whether the heart beats: no worker may go on without."""
        return self._thread.is_alive() and time.monotonic() - self._last_beat < self._lease_seconds

    def add(self, job: Job) -> None:
        """Keep a task from now on until it is settled."""
        with self._lock:
            self._jobs.append(job)

    def jobs(self) -> list[Job]:
        """Return what is in hand and not settled."""
        with self._lock:
            self._jobs = [job for job in self._jobs if not job.done.is_set()]
            return list(self._jobs)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._interval):
                self.beat()
                self._last_beat = time.monotonic()
        except Exception:
            log.exception("the heartbeat broke: nothing in hand may be worked on")
            for job in self.jobs():
                job.lease_lost.set()
                self._on_stop(job)

    def beat(self) -> None:
        """Renew everything in hand once."""
        jobs = self.jobs()
        self._unless_aws_fails(self._at_work)
        deliveries = [job.delivery for job in jobs] + self._waiting()
        if not deliveries:
            return
        progress = self._observe()
        self._unless_aws_fails(lambda: self._queue.extend(deliveries, self._lease_seconds))
        for job in jobs:
            self._unless_aws_fails(partial(self._renew, job, progress if job.progress is not None else None))

    def _unless_aws_fails(self, action: Callable[[], None]) -> None:
        """Go on after a fault of AWS: the next beat comes long before anything runs out."""
        try:
            action()
        except (ClientError, BotoCoreError):
            log.warning("a part of a heartbeat failed", exc_info=True)

    def _renew(self, job: Job, progress: float | None) -> None:
        row = job.row
        written = self._state.write(
            job.id, renew(row, seconds=self._lease_seconds, now=now(), progress=progress)
        )
        if job.done.is_set():
            return
        if not written.done and job.row is row:  # else another stage drew a fence meanwhile
            log.warning("task is no longer ours", extra={"task_id": job.id})
            job.lease_lost.set()
            self._on_stop(job)
        elif written.row is not None and written.row.cancel_requested and not job.cancelled.is_set():
            job.cancelled.set()
            self._on_stop(job)
