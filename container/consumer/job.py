"""A claimed task in this process, from its claim until its message is deleted or released."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from container.consumer.engines.base import Request, nothing_to_clean_up
from domain.errors import Fault
from domain.message import Message
from domain.row import Row

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int = 1
    trace: str | None = None


class LeaseLost(Exception):
    """This worker may write nothing more for the task: another worker claimed it, or it was cancelled."""


@dataclass(frozen=True, slots=True)
class Stage:
    """When a stage of a job started (Unix time) and how long it took."""

    name: str
    started_at: float
    seconds: float


@dataclass(eq=False, slots=True)
class Job:
    """A claimed task; several threads use it, one stage at a time."""

    delivery: Delivery
    message: Message
    row: Row
    """The task's row as this worker last wrote it."""
    request: Request | None = None
    """The engine's request; set only from preparation until the run, because it may contain many images."""
    clean_up_engine: Callable[[], None] = nothing_to_clean_up
    """Removes what the job has left on the engine."""
    warnings: Sequence[Fault] = ()
    """How the request differs from what the task asked for."""
    kind: str = ""
    """The task type or script: jobs of one kind take a time proportional to their cost. Empty until the
    content is read."""
    cost: float = 1.0
    """Amount of work, such as steps times pixels; only ratios between jobs of one kind matter."""
    lease_lost: threading.Event = field(default_factory=threading.Event)
    """Set when the fence is no longer valid."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the caller asks to cancel the running task."""
    done: threading.Event = field(default_factory=threading.Event)
    """Set when the job is finished or released; its lease is not renewed after that."""
    progress: float | None = None
    """From 0 to 1 while the job runs, otherwise None."""
    stage_seconds: dict[str, float] = field(default_factory=dict)
    """How long each stage took."""
    claimed_at: float = field(default_factory=time.time)
    stages: list[Stage] = field(default_factory=list)
    model_switched: bool = False
    """Whether the job needed another model than the one before."""
    end_recorded: bool = False
    """Whether the metrics and the trace of the job's end were written."""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time spent inside the block to a stage."""
        start, started_at = time.monotonic(), time.time()
        try:
            yield
        finally:
            seconds = time.monotonic() - start
            self.stage_seconds[stage] = self.stage_seconds.get(stage, 0.0) + seconds
            self.stages.append(Stage(stage, started_at, seconds))

    @property
    def id(self) -> str:
        """Return the task's id."""
        return self.message.task.id

    @property
    def should_stop(self) -> bool:
        """Return whether work on the job should stop: it is cancelled or done, or its lease is lost."""
        return self.cancelled.is_set() or self.lease_lost.is_set() or self.done.is_set()

    def set_request(self, request: Request) -> None:
        """Set the request that was prepared for the engine."""
        self.request = request
        self.warnings = request.warnings
        self.clean_up_engine = request.clean_up

    def clean_up(self) -> None:
        """Drop the request, and remove what the job has left on the engine; it must not run any more."""
        self.request = None
        clean_up, self.clean_up_engine = self.clean_up_engine, nothing_to_clean_up
        try:
            clean_up()
        except Exception:
            log.exception("what a job left on the engine could not be removed")

    def check_lease(self) -> None:
        """Raise LeaseLost if this worker no longer has the task's lease."""
        if self.lease_lost.is_set():
            raise LeaseLost(self.id)


class ActiveJobs:
    """The jobs of this process that are not done. It can be used from several threads."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        """Add a claimed job."""
        with self._lock:
            self._jobs.append(job)

    def exist(self) -> bool:
        """Return whether any job is not done."""
        return bool(self.all())

    def all(self) -> list[Job]:
        """Return the jobs that are not done, in the order in which they were claimed."""
        with self._lock:
            self._jobs = [job for job in self._jobs if not job.done.is_set()]
            return list(self._jobs)
