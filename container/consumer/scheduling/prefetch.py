"""Prepare tasks before the GPU is free: as few and as late as keeps it busy."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from container.consumer.job import Job
from container.consumer.lifecycle.task_run import TaskRun
from container.consumer.telemetry.duration import Average, DurationEstimator
from container.consumer.telemetry.utilization import IMMEDIATE_SECONDS

log = logging.getLogger(__name__)

MARGIN: Final = 1.5
"""Factor on the usual preparation time: its spread is small compared to the waiting that it avoids."""

SLACK_SECONDS: Final = 0.03
"""Added to each estimate, for what is not measured: threads need some milliseconds to continue."""

CLOSE_SECONDS: Final = 10
"""How long closing waits for a receive that is under way (at most 5 s): its message must be released, or it
stays invisible until its timeout."""

RECHECK_SECONDS: Final = 0.5
"""The longest wait before an estimate is checked again."""

OVERDUE_SECONDS: Final = 5.0
"""A task whose inputs take longer than this is overdue, and its place may be taken by the next one."""

MAX_OVERDUE: Final = 4
"""How many tasks may be claimed beyond `prefetch` while others are overdue; each takes memory."""


@dataclass(eq=False, slots=True)
class _Slot:
    """A task on its way to the GPU; without `job`, it is still being received."""

    reserved_at: float
    job: Job | None = None
    prepared: bool = False
    started: bool = False


class Prefetcher:
    """Brings tasks to the GPU just in time.

    At most `prefetch` tasks wait for the GPU, not counting those whose preparation is overdue. A task is
    claimed only if the GPU will be free by the time the task is ready; until then another worker may claim
    it.
    """

    def __init__(
        self,
        tasks: TaskRun,
        durations: DurationEstimator,
        changed: threading.Condition,
        *,
        prefetch: int,
        more_tasks_than_workers: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run the steps of `tasks`; `changed` is notified whenever an estimate of `durations` changes.

        `more_tasks_than_workers` is asked before a task is claimed although nobody knows how long it must
        wait here: with fewer tasks than workers, an idle worker should get it.
        """
        self._tasks = tasks
        self._durations = durations
        self._change = changed
        self._slots: list[_Slot] = []
        self._prefetch = prefetch
        self._more_tasks_than_workers = more_tasks_than_workers
        self._is_open = True
        self._is_paused = False
        self._failure: BaseException | None = None
        self._claiming = Average(0.06)
        self._preparing = Average(0.3)
        self._starting = Average(0.03)
        self._threads = [
            threading.Thread(target=self._run, name=f"prefetch-{number}", daemon=True)
            for number in range(prefetch + MAX_OVERDUE if prefetch else 0)
        ]

    def start(self) -> None:
        """Start claiming tasks."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Claim no further task, and start none that waits."""
        with self._change:
            self._is_open = False
            self._change.notify_all()

    def close(self) -> None:
        """Claim no further task, release those that have not begun, and wait for the ones being received."""
        self.stop()
        self.release_started()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(CLOSE_SECONDS)

    def pause(self) -> None:
        """Claim nothing while the engine is not ready, and release tasks that wait for it."""
        with self._change:
            self._is_paused = True
            self._change.notify_all()
        self.release_started()

    def resume(self) -> None:
        """Claim tasks again."""
        with self._change:
            self._is_paused = False
            self._change.notify_all()

    def release_started(self) -> None:
        """Release tasks that were started but not sent to the engine."""
        with self._change:
            started = [slot for slot in self._slots if slot.started]
            self._slots = [slot for slot in self._slots if not slot.started]
        for slot in started:
            if slot.job is not None:
                self._tasks.release(slot.job)

    @property
    def uses_threads(self) -> bool:
        """Return whether tasks are prepared and finished in other threads (`PREFETCH` above 0)."""
        return self._prefetch > 0

    def next(self, wait_seconds: float) -> Job | None:
        """Return the next started task, or None after `wait_seconds`; raise the error of a failed thread."""
        if not self.uses_threads:
            return self._claim_now()
        with self._change:
            if not self._failure and self._first_started() is None:
                self._change.notify_all()  # the GPU is idle now
                self._change.wait_for(lambda: self._failure or self._first_started(), timeout=wait_seconds)
            if self._failure:
                raise self._failure
            slot = self._first_started()
            if slot is None:
                return None
            # The other threads are not notified yet, because they would delay this job's request.
            self._slots.remove(slot)
            return slot.job

    def _claim_now(self) -> Job | None:
        """Claim, prepare and start one task in this thread."""
        job = self._tasks.claim()
        if job is None or not self._tasks.prepare(job) or not self._tasks.start(job):
            return None
        return job

    def _first_started(self) -> _Slot | None:
        return next((slot for slot in self._slots if slot.started), None)

    def _run(self) -> None:
        try:
            while (slot := self._reserve()) is not None:
                if slot.job is not None:
                    self._tasks.stop(slot.job)
                    self._discard(slot)
                elif not self._fill(slot):
                    self._discard(slot)
        except BaseException as failure:  # `next` raises it in the main thread
            log.exception("a prefetch thread failed")
            with self._change:
                self._failure = failure
                self._change.notify_all()

    def _fill(self, slot: _Slot) -> bool:
        started_at = time.monotonic()
        job = self._tasks.claim()
        if job is None:
            return False
        seconds = time.monotonic() - started_at
        with self._change:
            # Otherwise the receive has waited for a message, which says nothing about how long claims take.
            if seconds - job.stage_seconds.get("claim", 0.0) < IMMEDIATE_SECONDS:
                self._claiming.add(seconds)
            slot.job = job
            slot.reserved_at = time.monotonic()
        if not self._may_continue():
            self._tasks.release(job)
            return False
        if not self._tasks.prepare(job):
            return False
        with self._change:
            self._preparing.add(time.monotonic() - slot.reserved_at)
            slot.prepared = True
            self._change.notify_all()
        if not self._await_turn(slot):
            (self._tasks.stop if job.should_stop else self._tasks.release)(job)
            return False
        started_at = time.monotonic()
        if not self._tasks.start(job):
            return False
        with self._change:
            self._starting.add(time.monotonic() - started_at)
            slot.started = True
            self._change.notify_all()
        return True

    def _reserve(self) -> _Slot | None:
        """Wait until another task should be claimed; return None if no more will be."""
        with self._change:
            while self._is_open:
                wait = self._seconds_until_needed()
                if wait <= 0:
                    slot = _Slot(reserved_at=time.monotonic())
                    self._slots.append(slot)
                    return slot
                if (stopped := self._stopped_slot()) is not None:
                    return stopped
                self._change.wait(min(wait, RECHECK_SECONDS))
            return None

    def _stopped_slot(self) -> _Slot | None:
        """Return a started task that was cancelled or whose lease is lost: it needs no GPU any more."""
        for slot in self._slots:
            if slot.started and slot.job is not None and slot.job.should_stop:
                slot.started = False  # it keeps its slot until it has ended, but does not wait for the GPU
                return slot
        return None

    def _seconds_until_needed(self) -> float:
        usual_seconds = self._claiming.seconds + self._preparing.seconds + self._starting.seconds
        lead_seconds = usual_seconds * MARGIN + SLACK_SECONDS
        now = time.monotonic()
        overdue_seconds = max(lead_seconds, OVERDUE_SECONDS)
        overdue = [
            slot
            for slot in self._slots
            if slot.job and not slot.prepared and now - slot.reserved_at > overdue_seconds
        ]
        if self._is_paused or len(self._slots) - min(len(overdue), MAX_OVERDUE) >= self._prefetch:
            return float("inf")
        busy_seconds = self._durations.remaining()
        for slot in self._slots:
            if slot.job is None:
                return float("inf")  # one thread that waits for a message is enough
            # A slow input must not keep the task behind it from the GPU.
            if slot.prepared or now - slot.reserved_at <= lead_seconds:
                busy_seconds += self._durations.seconds_for(slot.job.kind, slot.job.cost)
        if busy_seconds == float("inf") and not self._slots and self._more_tasks_than_workers():
            return 0.0  # the job's end is unknown, but no other worker would start the task now
        return busy_seconds - lead_seconds

    def _await_turn(self, slot: _Slot) -> bool:
        """Wait until `slot` is next and the GPU is about to be free; return False if it must not start."""
        with self._change:
            while self._may_continue() and not (slot.job and slot.job.should_stop):
                wait = self._durations.remaining() - self._starting.seconds * MARGIN - SLACK_SECONDS
                first = next(other for other in self._slots if other.prepared)
                if first is slot and wait <= 0:
                    return True
                self._change.wait(
                    min(max(wait, 0.001), RECHECK_SECONDS) if first is slot else RECHECK_SECONDS
                )
            return False

    def _may_continue(self) -> bool:
        return self._is_open and not self._is_paused

    def _discard(self, slot: _Slot) -> None:
        with self._change:
            self._slots.remove(slot)
            self._change.notify_all()
