"""Simulate a queue, its workers and their instances, event by event."""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from bench.scaling.latencies import (
    BOOT_SECONDS,
    JOB_SECONDS,
    JOB_VARIES,
    METRIC_LATE_SECONDS,
    METRIC_PERIOD_SECONDS,
    PROTECTION_IDLE_SECONDS,
    PROTECTION_RELEASE_SECONDS,
)
from bench.scaling.outcome import Bounds, Datapoint, Outcome
from tools.cost.assumptions import ORDER_SECONDS, STOP_SECONDS

SECONDS_AFTER_LAST_TASK: Final = 3600.0
"""How long a run continues after its last task, so that GPUs that a policy keeps are counted."""


class Policy(Protocol):
    """Decides how many GPUs there are; it sets `Simulation.desired` with `Simulation.set_desired`."""

    idle_instance_seconds: float
    """How long an instance without a task is kept."""
    protects_workers: bool
    """Whether a worker with a job is protected from scale-in."""

    def start(self, simulation: "Simulation") -> None:
        """Schedule the policy's first events; the desired count is the minimum."""

    def task_submitted(self, simulation: "Simulation") -> None:
        """React to a submitted task."""

    def metric_arrived(self, simulation: "Simulation", datapoint: Datapoint) -> None:
        """React to a metric that has arrived."""


@dataclass(frozen=True, slots=True)
class _Task:
    submitted_at: float
    seconds: float
    """How long its job takes."""


@dataclass(eq=False, slots=True)
class _Worker:
    ordered_at: float
    is_ready: bool = False
    task: _Task | None = None
    is_stopping: bool = False
    is_terminated: bool = False
    protected_at: float = 0.0
    """When its protection from scale-in was last renewed."""
    idle_since: float = 0.0


class Simulation:
    """One runtime: its queue, its workers, and its policy."""

    def __init__(self, policy: Policy, bounds: Bounds, *, seed: int) -> None:
        # A generator of its own, so that what callers do does not depend on the policy.
        self.callers = random.Random(seed)  # noqa: S311 - a simulation that can be repeated
        self._random = random.Random(seed)  # noqa: S311 - likewise
        self.now = 0.0
        self.desired = bounds.minimum
        self.bounds = bounds
        self.outcome = Outcome()
        self.on_finished: Callable[[Simulation], None] = lambda _: None
        self._policy = policy
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._event_numbers = itertools.count()  # so that events at the same time keep their order
        self._queue: deque[_Task] = deque()
        self._workers: list[_Worker] = []
        self._idle: deque[_Worker] = deque()
        self._in_flight = 0
        self._largest_counts = (0, 0)  # visible messages and messages in flight, in this minute
        self._last_submit_at = float("inf")

    def run(self, *, seconds: float) -> Outcome:
        """Run until nothing is left to do; nothing is submitted after `seconds`."""
        self._last_submit_at = seconds
        self.after(self._random.uniform(0, METRIC_PERIOD_SECONDS), self._measure)
        self._policy.start(self)
        self._reconcile()
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()
            if self.now >= self._last_submit_at and not self.backlog and self._is_over():
                break
        for worker in self._workers:
            self._count_gpu_time(worker, until=self.now)
        return self.outcome

    def _is_over(self) -> bool:
        """Return whether no worker is left, or the policy has had enough time to stop them."""
        return not self._workers or self.now >= self._last_submit_at + SECONDS_AFTER_LAST_TASK

    # --- for policies and scenarios ------------------------------------------------------------------------

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Run an event later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._event_numbers), event))

    def every(self, seconds: float, event: Callable[[], None]) -> None:
        """Run an event repeatedly, first after a random part of the interval."""

        def run_and_repeat() -> None:
            event()
            self.after(seconds, run_and_repeat)

        self.after(self._random.uniform(0, seconds), run_and_repeat)

    @property
    def backlog(self) -> int:
        """Return the number of waiting and running tasks."""
        return len(self._queue) + self._in_flight

    @property
    def running(self) -> int:
        """Return the number of ready workers, including those that will shut down after their job."""
        return sum(worker.is_ready for worker in self._workers)

    def submit(self) -> None:
        """Submit one task."""
        self._queue.append(_Task(self.now, JOB_SECONDS * self.callers.uniform(*JOB_VARIES)))
        self._assign()
        self._policy.task_submitted(self)

    def set_desired(self, count: int) -> None:
        """Set the desired count, and record if that stops GPUs that the backlog needs at this moment."""
        if count == self.desired:
            return
        stopped = min(self.desired, self.bounds.needed_gpus(self.backlog)) - count
        if stopped > 0:
            self.outcome.needed_gpus_stopped += stopped
            lowest = self.outcome.lowest_desired
            self.outcome.lowest_desired = count if lowest is None else min(lowest, count)
        self.desired = count
        self._reconcile()

    def interrupt_spot(self, count: int) -> None:
        """Terminate ready workers, as EC2 does with spot instances; their tasks return to the queue."""
        for worker in [each for each in self._workers if each.is_ready and not each.is_stopping][:count]:
            if worker.task is not None:
                self._queue.appendleft(worker.task)
                self._in_flight -= 1
                worker.task = None
            self._terminate(worker, kept_seconds=0.0)
        self._reconcile()
        self._assign()

    # --- metrics -------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        visible, in_flight = self._largest_counts
        datapoint = Datapoint(visible, in_flight, self.running)
        self._largest_counts = (len(self._queue), self._in_flight)
        self.after(
            self._random.uniform(*METRIC_LATE_SECONDS), lambda: self._policy.metric_arrived(self, datapoint)
        )
        self.after(METRIC_PERIOD_SECONDS, self._measure)

    def _note_message_counts(self) -> None:
        visible, in_flight = self._largest_counts
        self._largest_counts = (max(visible, len(self._queue)), max(in_flight, self._in_flight))

    # --- workers -------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        """Start or stop workers to reach the desired count; ECS does not stop a protected one."""
        placed = [worker for worker in self._workers if not worker.is_stopping]
        for _ in range(self.desired - len(placed)):
            worker = _Worker(self.now)
            self._workers.append(worker)
            self.after(BOOT_SECONDS, lambda worker=worker: self._start_working(worker))  # type: ignore[misc]
        surplus = len(placed) - self.desired
        if surplus > 0:
            unprotected = [worker for worker in placed if not self._is_protected(worker)]
            # ECS stops those first that do not work yet, then the newest.
            unprotected.sort(key=lambda each: (each.is_ready, -each.ordered_at))
            for worker in unprotected[:surplus]:
                self._stop(worker)

    def _is_protected(self, worker: _Worker) -> bool:
        if not self._policy.protects_workers or not worker.is_ready:
            return False
        return worker.task is not None or self.now - worker.idle_since < PROTECTION_IDLE_SECONDS

    def _start_working(self, worker: _Worker) -> None:
        if not worker.is_terminated:
            worker.is_ready = True
            self._wait_for_task(worker)
            self._assign()

    def _assign(self) -> None:
        while self._queue and self._idle:
            worker = self._idle.popleft()
            if worker.is_stopping or worker.is_terminated:
                continue
            if self.now - worker.idle_since >= PROTECTION_IDLE_SECONDS:
                worker.protected_at = self.now
            self.outcome.idle_seconds += self.now - worker.idle_since
            self._run_job(worker)
        self._note_message_counts()

    def _run_job(self, worker: _Worker) -> None:
        worker.task = task = self._queue.popleft()
        self._in_flight += 1
        self.after(task.seconds, lambda: self._finish_job(worker, task))

    def _finish_job(self, worker: _Worker, task: _Task) -> None:
        if worker.is_terminated:
            return
        self.outcome.seconds.append(self.now - task.submitted_at)
        self.outcome.busy_seconds += task.seconds
        self._in_flight -= 1
        worker.task = None
        if worker.is_stopping:
            self._shut_down(worker)
        else:
            self._after_job(worker)
        self.on_finished(self)

    def _after_job(self, worker: _Worker) -> None:
        """Release protection for a moment if that is due, then run the next task or wait for one."""
        if self._policy.protects_workers and self.now - worker.protected_at >= PROTECTION_RELEASE_SECONDS:
            worker.protected_at = self.now
            if sum(not each.is_stopping for each in self._workers) > self.desired:
                self._stop(worker, idle_since=self.now)
                return
        if self._queue:
            self._run_job(worker)
            self._note_message_counts()
        else:
            self._wait_for_task(worker)

    def _wait_for_task(self, worker: _Worker) -> None:
        worker.idle_since = self.now
        self._idle.append(worker)
        if self._policy.protects_workers:
            self.after(PROTECTION_IDLE_SECONDS, self._reconcile)

    def _stop(self, worker: _Worker, *, idle_since: float | None = None) -> None:
        worker.is_stopping = True
        if idle_since is not None:
            worker.idle_since = idle_since
        if worker.task is None:
            self._shut_down(worker)

    def _shut_down(self, worker: _Worker) -> None:
        """Shut a worker without a job down; its instance is paid for a while longer."""
        kept_seconds = STOP_SECONDS + self._policy.idle_instance_seconds
        if worker.is_ready and worker in self._idle:
            self.outcome.idle_seconds += self.now - worker.idle_since
        self.outcome.idle_seconds += kept_seconds
        self._terminate(worker, kept_seconds=kept_seconds)

    def _terminate(self, worker: _Worker, *, kept_seconds: float) -> None:
        worker.is_stopping = worker.is_terminated = True
        worker.is_ready = False
        if worker in self._idle:
            self._idle.remove(worker)
        self._workers.remove(worker)
        self._count_gpu_time(worker, until=self.now + kept_seconds)

    def _count_gpu_time(self, worker: _Worker, *, until: float) -> None:
        self.outcome.gpu_seconds += max(0.0, until - worker.ordered_at - ORDER_SECONDS)
