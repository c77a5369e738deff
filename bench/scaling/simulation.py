"""A queue, its workers and their instances, simulated event by event."""

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

SETTLE_SECONDS: Final = 3600.0
"""How long a run goes on after its last task, so that what a policy keeps is counted."""


class Policy(Protocol):
    """Decides how many GPUs there are; it sets `World.desired` by `World.order`."""

    idle_instance_seconds: float
    """How long an instance without a task is kept."""
    protects: bool
    """Whether a worker with a job is protected from scale-in."""

    def start(self, world: "World") -> None:
        """Begin, with a desired count of the minimum."""

    def submitted(self, world: "World") -> None:
        """Take note of a submitted task."""

    def measured(self, world: "World", datapoint: Datapoint) -> None:
        """Take note of a metric that has arrived."""


@dataclass(frozen=True, slots=True)
class _Task:
    submitted_at: float
    seconds: float
    """How long its job takes."""


@dataclass(eq=False, slots=True)
class _Worker:
    ordered_at: float
    ready: bool = False
    task: _Task | None = None
    stopping: bool = False
    gone: bool = False
    protected_at: float = 0.0
    idle_since: float = 0.0


class World:
    """One runtime: its queue, its workers, and its policy."""

    def __init__(self, policy: Policy, bounds: Bounds, *, seed: int) -> None:
        # What callers do must not depend on the policy.
        self.callers = random.Random(seed)  # noqa: S311 - a simulation that can be repeated
        self._random = random.Random(seed)  # noqa: S311 - likewise
        self.now = 0.0
        self.desired = bounds.minimum
        self.bounds = bounds
        self.outcome = Outcome()
        self.finished: Callable[[World], None] = lambda _: None
        self._policy = policy
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._queue: deque[_Task] = deque()
        self._workers: list[_Worker] = []
        self._idle: deque[_Worker] = deque()
        self._in_flight = 0
        self._most = (0, 0)
        self._end = float("inf")

    def run(self, *, seconds: float) -> Outcome:
        """Run until nothing is left to do; nothing is submitted after `seconds`."""
        self._end = seconds
        self.after(self._random.uniform(0, METRIC_PERIOD_SECONDS), self._measure)
        self._policy.start(self)
        self._reconcile()
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()
            if self.now >= self._end and not self.backlog and self._settled():
                break
        for worker in self._workers:
            self._pay(worker, until=self.now)
        return self.outcome

    def _settled(self) -> bool:
        """Return whether the policy has reached the least that it keeps, or has had the time to."""
        return not self._workers or self.now >= self._end + SETTLE_SECONDS

    # --- for policies and scenarios ------------------------------------------------------------------------

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Run an event later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), event))

    def every(self, seconds: float, event: Callable[[], None]) -> None:
        """Run an event repeatedly, first after a random part of the interval."""

        def again() -> None:
            event()
            self.after(seconds, again)

        self.after(self._random.uniform(0, seconds), again)

    @property
    def backlog(self) -> int:
        """Return the number of waiting and running tasks."""
        return len(self._queue) + self._in_flight

    @property
    def running(self) -> int:
        """Return the number of workers that are ready, with those that are about to leave."""
        return sum(worker.ready for worker in self._workers)

    def submit(self) -> None:
        """Submit one task."""
        self._queue.append(_Task(self.now, JOB_SECONDS * self.callers.uniform(*JOB_VARIES)))
        self._assign()
        self._policy.submitted(self)

    def order(self, count: int) -> None:
        """Set the desired count; note if it takes in GPUs that the backlog wants at this moment."""
        if count == self.desired:
            return
        taken = min(self.desired, self.bounds.wanted(self.backlog)) - count
        if taken > 0:
            self.outcome.taken += taken
            lowest = self.outcome.lowest
            self.outcome.lowest = count if lowest is None else min(lowest, count)
        self.desired = count
        self._reconcile()

    def lose(self, count: int) -> None:
        """Take ready workers away, as spot does; their tasks are released, and replacements are ordered."""
        for worker in [each for each in self._workers if each.ready and not each.stopping][:count]:
            if worker.task is not None:
                self._queue.appendleft(worker.task)
                self._in_flight -= 1
                worker.task = None
            self._gone(worker, kept=0.0)
        self._reconcile()
        self._assign()

    # --- metrics -------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        visible, in_flight = self._most
        datapoint = Datapoint(visible, in_flight, self.running)
        self._most = (len(self._queue), self._in_flight)
        self.after(self._random.uniform(*METRIC_LATE_SECONDS), lambda: self._policy.measured(self, datapoint))
        self.after(METRIC_PERIOD_SECONDS, self._measure)

    def _note_most(self) -> None:
        visible, in_flight = self._most
        self._most = (max(visible, len(self._queue)), max(in_flight, self._in_flight))

    # --- workers -------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        """Start or stop workers until as many are placed as desired; ECS does not stop a protected one."""
        placed = [worker for worker in self._workers if not worker.stopping]
        for _ in range(self.desired - len(placed)):
            worker = _Worker(self.now)
            self._workers.append(worker)
            self.after(BOOT_SECONDS, lambda worker=worker: self._booted(worker))  # type: ignore[misc]
        surplus = len(placed) - self.desired
        if surplus > 0:
            able = [worker for worker in placed if not self._protected(worker)]
            # Those that do not work yet, then the newest.
            able.sort(key=lambda each: (each.ready, -each.ordered_at))
            for worker in able[:surplus]:
                self._stop(worker)

    def _protected(self, worker: _Worker) -> bool:
        if not self._policy.protects or not worker.ready:
            return False
        return worker.task is not None or self.now - worker.idle_since < PROTECTION_IDLE_SECONDS

    def _booted(self, worker: _Worker) -> None:
        if not worker.gone:
            worker.ready = True
            self._rest(worker)
            self._assign()

    def _assign(self) -> None:
        while self._queue and self._idle:
            worker = self._idle.popleft()
            if worker.stopping or worker.gone:
                continue
            if self.now - worker.idle_since >= PROTECTION_IDLE_SECONDS:
                worker.protected_at = self.now
            self.outcome.idle_seconds += self.now - worker.idle_since
            self._run_job(worker)
        self._note_most()

    def _run_job(self, worker: _Worker) -> None:
        worker.task = task = self._queue.popleft()
        self._in_flight += 1
        self.after(task.seconds, lambda: self._done(worker, task))

    def _done(self, worker: _Worker, task: _Task) -> None:
        if worker.gone:
            return
        self.outcome.seconds.append(self.now - task.submitted_at)
        self.outcome.busy_seconds += task.seconds
        self._in_flight -= 1
        worker.task = None
        if worker.stopping:
            self._leave(worker)
        else:
            self._continue(worker)
        self.finished(self)

    def _continue(self, worker: _Worker) -> None:
        """Release protection if it is time to, and take the next task or rest."""
        if self._policy.protects and self.now - worker.protected_at >= PROTECTION_RELEASE_SECONDS:
            worker.protected_at = self.now
            if sum(not each.stopping for each in self._workers) > self.desired:
                self._stop(worker, idle_since=self.now)
                return
        if self._queue:
            self._run_job(worker)
            self._note_most()
        else:
            self._rest(worker)

    def _rest(self, worker: _Worker) -> None:
        worker.idle_since = self.now
        self._idle.append(worker)
        if self._policy.protects:
            self.after(PROTECTION_IDLE_SECONDS, self._reconcile)

    def _stop(self, worker: _Worker, *, idle_since: float | None = None) -> None:
        worker.stopping = True
        if idle_since is not None:
            worker.idle_since = idle_since
        if worker.task is None:
            self._leave(worker)

    def _leave(self, worker: _Worker) -> None:
        """Let a worker without a job leave; its instance is kept for a while."""
        kept = STOP_SECONDS + self._policy.idle_instance_seconds
        if worker.ready and worker in self._idle:
            self.outcome.idle_seconds += self.now - worker.idle_since
        self.outcome.idle_seconds += kept
        self._gone(worker, kept=kept)

    def _gone(self, worker: _Worker, *, kept: float) -> None:
        worker.stopping = worker.gone = True
        worker.ready = False
        if worker in self._idle:
            self._idle.remove(worker)
        self._workers.remove(worker)
        self._pay(worker, until=self.now + kept)

    def _pay(self, worker: _Worker, *, until: float) -> None:
        self.outcome.gpu_seconds += max(0.0, until - worker.ordered_at - ORDER_SECONDS)
