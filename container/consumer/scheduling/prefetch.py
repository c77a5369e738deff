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
CLOSE_SECONDS: Final = 10
"""A long poll lasts 5 s; a message that it returns must be released, or it stays invisible until its
timeout."""

RECHECK_SECONDS: Final = 0.5
"""The longest wait before an estimate is checked again."""

OVERDUE_SECONDS: Final = 5.0
"""A task whose inputs take longer than this is overdue, and its place may be taken by the next one."""

MAX_OVERDUE: Final = 4
"""How many tasks may be claimed beyond `prefetch` while others are overdue; each takes memory."""


@dataclass(eq=False, slots=True)
class _Slot:
    """A task on its way to the GPU; without `job`, it is still being received."""

    begun: float
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
        enough_for_all: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run the steps of `tasks`; `changed` is notified whenever an estimate of `durations` changes.

        `enough_for_all` returns whether more tasks wait than there are workers.
        """
        self._tasks = tasks
        self._durations = durations
        self._change = changed
        self._slots: list[_Slot] = []
        self._prefetch = prefetch
        self._enough_for_all = enough_for_all
        self._open = True
        self._paused = False
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
            self._open = False
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
            self._paused = True
            self._change.notify_all()
        self.release_started()

    def resume(self) -> None:
        """Claim tasks again."""
        with self._change:
            self._paused = False
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
    def beside(self) -> bool:
        """Return whether tasks are prepared and finished in other threads (`PREFETCH` above 0)."""
        return self._prefetch > 0

    def next(self, wait_seconds: float) -> Job | None:
        """Return the next started task, or None after `wait_seconds`; raise the error of a failed thread."""
        if not self.beside:
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
            # Nobody is notified before the job's request was sent, because it would be delayed.
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
                    self._drop(slot)
                elif not self._fill(slot):
                    self._drop(slot)
        except BaseException as failure:  # raised by `next`, in the thread that works
            log.exception("a prefetch thread failed")
            with self._change:
                self._failure = failure
                self._change.notify_all()

    def _fill(self, slot: _Slot) -> bool:
        begun = time.monotonic()
        job = self._tasks.claim()
        if job is None:
            return False
        took = time.monotonic() - begun
        with self._change:
            if took - job.seconds.get("claim", 0.0) < IMMEDIATE_SECONDS:  # else it waited for a message
                self._claiming.add(took)
            slot.job = job
            slot.begun = time.monotonic()
        if not self._may_continue():
            self._tasks.release(job)
            return False
        if not self._tasks.prepare(job):
            return False
        with self._change:
            self._preparing.add(time.monotonic() - slot.begun)
            slot.prepared = True
            self._change.notify_all()
        if not self._await_turn(slot):
            (self._tasks.stop if job.stopped else self._tasks.release)(job)
            return False
        begun = time.monotonic()
        if not self._tasks.start(job):
            return False
        with self._change:
            self._starting.add(time.monotonic() - begun)
            slot.started = True
            self._change.notify_all()
        return True

    def _reserve(self) -> _Slot | None:
        """Wait until another task should be claimed; return None if no more will be."""
        with self._change:
            while self._open:
                wait = self._seconds_until_needed()
                if wait <= 0:
                    slot = _Slot(begun=time.monotonic())
                    self._slots.append(slot)
                    return slot
                if (stopped := self._take_stopped()) is not None:
                    return stopped
                self._change.wait(min(wait, RECHECK_SECONDS))
            return None

    def _take_stopped(self) -> _Slot | None:
        """Take out a started task that is cancelled or lost, because it no longer needs the GPU."""
        stopped = next((s for s in self._slots if s.started and s.job is not None and s.job.stopped), None)
        if stopped is not None:
            stopped.started = False  # it keeps its slot until it has ended, but does not wait for the GPU
        return stopped

    def _seconds_until_needed(self) -> float:
        lead = self._claiming.seconds + self._preparing.seconds + self._starting.seconds
        lead = lead * MARGIN + SLACK_SECONDS
        now = time.monotonic()
        late = max(lead, OVERDUE_SECONDS)
        overdue = [slot for slot in self._slots if slot.job and not slot.prepared and now - slot.begun > late]
        if self._paused or len(self._slots) - min(len(overdue), MAX_OVERDUE) >= self._prefetch:
            return float("inf")
        busy = self._durations.remaining()
        for slot in self._slots:
            if slot.job is None:
                return float("inf")  # one that waits for a message is enough
            # A slow input must not keep the task behind it from the GPU.
            if slot.prepared or now - slot.begun <= lead:
                busy += self._durations.seconds_for(slot.job.kind, slot.job.cost)
        if busy == float("inf") and not self._slots and self._enough_for_all():
            return 0.0  # the job's end is unknown, but no other worker would start the task now
        return busy - lead

    def _await_turn(self, slot: _Slot) -> bool:
        """Wait until `slot` is next and the GPU is about to be free; return False if it must not start."""
        with self._change:
            while self._may_continue() and not (slot.job and slot.job.stopped):
                wait = self._durations.remaining() - self._starting.seconds * MARGIN - SLACK_SECONDS
                first = next(other for other in self._slots if other.prepared)
                if first is slot and wait <= 0:
                    return True
                self._change.wait(
                    min(max(wait, 0.001), RECHECK_SECONDS) if first is slot else RECHECK_SECONDS
                )
            return False

    def _may_continue(self) -> bool:
        return self._open and not self._paused

    def _drop(self, slot: _Slot) -> None:
        with self._change:
            self._slots.remove(slot)
            self._change.notify_all()
