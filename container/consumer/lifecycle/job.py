"""A task in hand: from its claim until its message is deleted or given back."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from container.consumer.queue import Delivery
from domain.errors import Fault
from domain.message import Message
from domain.row import Row


class LeaseLost(Exception):
    """Say that the task is no longer ours: another worker's, or cancelled. Nothing more may be written."""


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
    body: bytes = b""
    """What goes to Web UI, once it is prepared."""
    warnings: list[Fault] = field(default_factory=list)
    """What the request says otherwise than the task, for its caller to see."""
    sampler: str | None = None
    """What the answer must say that it used; None: any."""
    lease_lost: threading.Event = field(default_factory=threading.Event)
    """The fence no longer holds."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """A caller asked to cancel while the task ran."""
    done: threading.Event = field(default_factory=threading.Event)
    """Finished or given back: the heartbeat leaves it alone."""
    progress: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each stage took."""
    kind: str = ""
    """Jobs of one kind take a time that is proportional to their cost."""
    cost: float = 1.0
    """How much work the job is, in steps × megapixels × images."""
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
