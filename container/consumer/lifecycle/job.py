"""A claimed task in this process, from its claim until its message is deleted or released."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from container.consumer.engines.base import Request
from container.consumer.queue import Delivery
from domain.errors import Fault
from domain.message import Message
from domain.row import Row


class LeaseLost(Exception):
    """Another worker has the task, or it was cancelled: this one may write nothing more."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Say when a stage began (Unix time) and how long it took."""

    name: str
    begun: float
    seconds: float


@dataclass(eq=False, slots=True)
class Job:
    """Hold one claimed task; several threads see it, each stage in its turn."""

    delivery: Delivery
    message: Message
    row: Row
    """As last written under our fence."""
    request: Request | None = None
    """What goes to the engine: from when the task is prepared until it runs, for it may hold many images."""
    warnings: Sequence[Fault] = ()
    """What is sent otherwise than the task says it."""
    kind: str = ""
    """Jobs of one kind take a time that is proportional to their cost; empty before the content was read."""
    cost: float = 1.0
    """How much work the job is; only ratios matter."""
    lease_lost: threading.Event = field(default_factory=threading.Event)
    """The fence no longer holds."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """A caller asked to cancel while the task ran."""
    done: threading.Event = field(default_factory=threading.Event)
    """Finished or released: its lease is not renewed any more."""
    progress: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each stage took."""
    claimed_at: float = field(default_factory=time.time)
    stages: list[Stage] = field(default_factory=list)
    switched: bool = False
    """The job needed another checkpoint than the one before."""
    measured: bool = False
    """How it ended was written down."""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time spent inside to a stage's seconds."""
        begun, at = time.monotonic(), time.time()
        try:
            yield
        finally:
            seconds = time.monotonic() - begun
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
            self.stages.append(Stage(stage, at, seconds))

    @property
    def id(self) -> str:
        """Return the task's id."""
        return self.message.task.id

    @property
    def stopped(self) -> bool:
        """Return whether nothing more should be done for it: cancelled, lost, or done."""
        return self.cancelled.is_set() or self.lease_lost.is_set() or self.done.is_set()

    def check(self) -> None:
        """Raise LeaseLost when the task is no longer ours."""
        if self.lease_lost.is_set():
            raise LeaseLost(self.id)


class JobsInHand:
    """The jobs of this process that are not done; safe for use from several threads."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        """Add a job that was claimed."""
        with self._lock:
            self._jobs.append(job)

    def any(self) -> bool:
        """Return whether there is one that is not done."""
        return bool(self.all())

    def all(self) -> list[Job]:
        """Return those that are not done, in the order of their claims."""
        with self._lock:
            self._jobs = [job for job in self._jobs if not job.done.is_set()]
            return list(self._jobs)
