"""The heartbeat: renew the leases and the invisibility of messages for all jobs together."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.table import Table
from container.consumer.job import ActiveJobs, Delivery, Job
from container.consumer.receiving.queue import SqsQueue
from domain.clock import now
from domain.protocol import renew
from domain.row import Status

log = logging.getLogger(__name__)

MAX_BEAT_SECONDS: Final = 5.0
"""How often progress is written; keeping messages invisible would only need a third of their timeout."""

CANCEL_CHECK_SECONDS: Final = 1.0
"""How often the row of a task that is on the GPU, or about to be, is read for a cancel."""

OVERDUE_BEAT_SECONDS: Final = 10.0
"""How long to wait for an overdue heartbeat. After a process was frozen, all its heartbeats are overdue, and
the heartbeat thread may run after the thread that checks it."""

BEATS_PER_LEASE: Final = 3
"""So that a lease does not expire if one heartbeat fails and the next one is late."""


class HeartbeatStopped(RuntimeError):
    """The leases of this process's jobs are no longer renewed."""


class Heartbeat:
    """Renews the leases and messages of all jobs until they are done.

    `observe` returns the running job's progress, `on_stop` is called when a running task must be stopped, and
    `unclaimed` returns messages that were received but not claimed, which must stay invisible too. With every
    heartbeat, `on_beat` is called and `file` is touched, for a health check in another process.
    """

    def __init__(
        self,
        jobs: ActiveJobs,
        queue: SqsQueue,
        table: Table,
        *,
        lease_seconds: int,
        observe: Callable[[], float | None],
        on_stop: Callable[[Job], None],
        unclaimed: Callable[[], list[Delivery]] = list,
        on_beat: Callable[[], None] = lambda: None,
        file: Path | None = None,
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._table = table
        self._lease_seconds = lease_seconds
        self._interval = min(MAX_BEAT_SECONDS, lease_seconds / BEATS_PER_LEASE)
        self._observe = observe
        self._on_stop = on_stop
        self._unclaimed = unclaimed
        self._on_beat = on_beat
        self._file = file
        self._wake = threading.Event()
        self._stopped = False
        self._beat_done = threading.Condition()
        self._beat_count = 0
        self._last_beat_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Send the first heartbeat at once, then start the thread."""
        self._beat_and_report()
        self._thread.start()

    def stop(self) -> None:
        """Stop the heartbeat."""
        self._stopped = True
        self._wake.set()

    def check(self) -> None:
        """Raise HeartbeatStopped if leases are no longer renewed, in which case no work may be done.

        An overdue heartbeat gets a last chance, because the whole process may have been frozen.
        """
        if self._thread.is_alive() and time.monotonic() - self._last_beat_at < self._lease_seconds:
            return
        with self._beat_done:
            count_before = self._beat_count
            self._wake.set()
            self._beat_done.wait_for(
                lambda: self._beat_count > count_before or not self._thread.is_alive(), OVERDUE_BEAT_SECONDS
            )
            if self._beat_count == count_before:
                raise HeartbeatStopped("the heartbeat stopped, and no work may be done without it")

    def _run(self) -> None:
        try:
            next_beat = time.monotonic() + self._interval
            while True:
                self._wake.wait(max(0.0, min(next_beat - time.monotonic(), CANCEL_CHECK_SECONDS)))
                if self._stopped:
                    return
                if self._wake.is_set() or time.monotonic() >= next_beat:
                    self._wake.clear()
                    self._beat_and_report()
                    next_beat = time.monotonic() + self._interval
                else:
                    self._check_for_cancels()
        except Exception:
            log.exception("the heartbeat failed: all jobs stop, because their leases are no longer renewed")
            for job in self._jobs.all():
                job.lease_lost.set()
                self._on_stop(job)
        finally:
            with self._beat_done:
                self._beat_done.notify_all()

    def _beat_and_report(self) -> None:
        self.beat()
        self._touch()
        with self._beat_done:
            self._last_beat_at = time.monotonic()
            self._beat_count += 1
            self._beat_done.notify_all()

    def _touch(self) -> None:
        if self._file is None:
            return
        try:
            self._file.touch()
        except OSError as error:  # the health check fails then and reports why
            log.warning("HEARTBEAT_FILE cannot be written", extra={"reason": str(error)})

    def beat(self) -> None:
        """Renew the leases and the invisibility of all messages once; AWS errors are logged."""
        jobs = [job for job in self._jobs.all() if not job.lease_lost.is_set()]
        self._unless_aws_fails(self._on_beat)
        deliveries = [job.delivery for job in jobs] + self._unclaimed()
        if not deliveries:
            return
        progress = self._observe()
        self._unless_aws_fails(lambda: self._queue.extend(deliveries, self._lease_seconds))
        for job in jobs:
            self._unless_aws_fails(partial(self._renew, job, progress if job.progress is not None else None))

    def _check_for_cancels(self) -> None:
        """Check whether the callers of tasks that are on the GPU, or about to be, want to cancel them."""
        for job in self._jobs.all():
            if job.row.status is Status.RUNNING and not job.should_stop:
                self._unless_aws_fails(partial(self._check_for_cancel, job))

    def _check_for_cancel(self, job: Job) -> None:
        if self._table.cancel_requested(job.id, job.row.submission_id):
            self._cancel(job)

    def _cancel(self, job: Job) -> None:
        if not job.cancelled.is_set():
            job.cancelled.set()
            self._on_stop(job)

    def _unless_aws_fails(self, action: Callable[[], None]) -> None:
        """Continue after an AWS error, because the next heartbeat comes long before anything expires."""
        try:
            action()
        except (ClientError, BotoCoreError):
            log.warning("a part of a heartbeat failed: the next heartbeat repeats it", exc_info=True)

    def _renew(self, job: Job, progress: float | None) -> None:
        row = job.row
        written = self._table.write(
            job.id, renew(row, seconds=self._lease_seconds, now=now(), progress=progress)
        )
        if job.done.is_set():
            return
        # If the row has changed, another thread has replaced the fence meanwhile: the lease is still ours.
        if not written.done and job.row is row:
            log.warning("the lease is lost: another worker has the task", extra={"task_id": job.id})
            job.lease_lost.set()
            self._on_stop(job)
        elif written.row is not None and written.row.cancel_requested:
            self._cancel(job)
