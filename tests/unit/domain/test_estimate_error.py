"""The error of estimates in a simulated runtime.

Its jobs are of three kinds with costs that differ by a factor of up to 64 and times that vary around what
their cost says; they come in bursts, and workers start meanwhile.
"""

import heapq
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from container.consumer.telemetry.duration import DurationEstimator
from domain.estimate import Estimate, RunningWork, Work, Workers, estimate, kind_key, work_attributes
from tests.support.clock import FakeMonotonic

MOST_ERROR = 0.25
SECONDS_A_UNIT = {"text-to-image": 2e-7, "image-to-image": 3e-7, "extra": 1.5}
SPREAD = 0.15
BETWEEN_JOBS_SECONDS = 0.2
STARTING_SECONDS = (45.0, 75.0)
ORDERED_AT = (0.0, 0.0, 30.0, 200.0)
TASKS = 400


@dataclass
class Job:
    """A task of the simulation."""

    kind: str
    cost: float
    submitted_at: float
    started_at: float = 0.0
    finished_at: float = 0.0

    @property
    def work(self) -> Work:
        """Return what its row tells."""
        return Work.of(work_attributes(self.kind, self.cost))


@dataclass
class Worker:
    """A worker of the simulation, which measures its jobs as a real one does."""

    ordered_at: float
    ready_at: float
    job: Job | None = None
    clock: FakeMonotonic = field(default_factory=FakeMonotonic)

    def __post_init__(self) -> None:
        self.durations = DurationEstimator(clock=self.clock)

    def begin(self, job: Job, now: float, rng: random.Random) -> None:
        self.job, job.started_at = job, now
        job.finished_at = now + job.cost * SECONDS_A_UNIT[job.kind] * rng.lognormvariate(0, SPREAD)
        self.clock.seconds = now
        self.durations.begin(job.kind, job.cost)

    def end(self) -> None:
        if self.job is not None:
            self.clock.seconds = self.job.finished_at
            self.durations.end(self.job.kind, self.job.cost, learn=True)
            self.job = None


class Simulation:
    """Runs tasks on workers, and notes an estimate for one of the waiting tasks at each event."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.workers = [Worker(at, at + self.rng.uniform(*STARTING_SECONDS)) for at in ORDERED_AT]
        self.queue: list[Job] = []
        self.guesses: list[tuple[float, Job, Estimate]] = []
        self._events: list[tuple[float, int, Job | Worker]] = []
        for job in self._submits():
            self._schedule(job.submitted_at, job)
        for worker in self.workers:
            self._schedule(worker.ready_at, worker)

    def run(self) -> None:
        while self._events:
            now, _, subject = heapq.heappop(self._events)
            if isinstance(subject, Job):
                self.queue.append(subject)
            else:
                subject.end()
            for worker in self.workers:
                if worker.job is None and worker.ready_at <= now and self.queue:
                    job = self.queue.pop(0)
                    worker.begin(job, now, self.rng)
                    self._schedule(job.finished_at + BETWEEN_JOBS_SECONDS, worker)
            if self.queue:
                self._guess(now)

    def _submits(self) -> Iterator[Job]:
        at = 0.0
        for _ in range(TASKS):
            at += self.rng.expovariate(1 / 90) if self.rng.random() < 0.08 else self.rng.expovariate(2)
            kind = self.rng.choices(list(SECONDS_A_UNIT), [6, 3, 1])[0]
            steps, side = self.rng.choice([12, 20, 30, 50]), self.rng.choice([512, 768, 1024])
            cost = float(steps * side * side * self.rng.choice([1, 1, 2, 4]))
            yield Job(kind, 1.0 if kind == "extra" else cost, at)

    def _schedule(self, at: float, subject: Job | Worker) -> None:
        heapq.heappush(self._events, (at, self.rng.getrandbits(60), subject))

    def _guess(self, now: float) -> None:
        index = self.rng.randrange(len(self.queue))
        running = [worker.job for worker in self.workers if worker.job is not None]
        found = estimate(
            self.queue[index].work,
            ahead=[job.work for job in self.queue[:index]],
            running=[RunningWork(job.work, now - job.started_at) for job in running],
            workers=self._described(now),
        )
        self.guesses.append((now, self.queue[index], found))

    def _described(self, now: float) -> Workers:
        ready = [worker for worker in self.workers if worker.ready_at <= now]
        starting = [worker for worker in self.workers if worker.ordered_at <= now < worker.ready_at]
        return Workers(
            running=len(ready),
            starting_seconds=[now - worker.ordered_at for worker in starting],
            speeds=[
                {kind_key(kind): speed for kind, speed in worker.durations.speeds().items()}
                for worker in ready
            ],
            start_seconds=[worker.ready_at - worker.ordered_at for worker in ready],
        )


@pytest.mark.parametrize("seed", range(5))
def test_the_median_error_of_estimates_is_within_a_quarter(seed: int) -> None:
    simulation = Simulation(seed)
    simulation.run()
    starts, finishes = [], []
    for now, job, guess in simulation.guesses:
        if guess.start_seconds is not None and job.started_at - now > 1:
            starts.append(abs(guess.start_seconds / (job.started_at - now) - 1))
        if guess.finish_seconds is not None:
            finishes.append(abs(guess.finish_seconds / (job.finished_at - now) - 1))

    assert min(len(starts), len(finishes)) > TASKS / 2
    assert statistics.median(starts) < MOST_ERROR
    assert statistics.median(finishes) < MOST_ERROR
