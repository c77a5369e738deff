"""The data of a simulated run: its limits, its metrics, and its outcome."""

from dataclasses import dataclass, field
from math import ceil


@dataclass(frozen=True, slots=True)
class Datapoint:
    """CloudWatch's metrics of one minute: the largest numbers of messages, and the number of workers."""

    visible: int
    in_flight: int
    running: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The settings of a runtime that limit its number of GPUs."""

    queue_length: int = 10
    minimum: int = 0
    maximum: int = 5

    def needed_gpus(self, backlog: int) -> int:
        """Return how many GPUs a backlog needs: one for each `queue_length` tasks, within the limits."""
        return max(self.minimum, min(self.maximum, ceil(backlog / self.queue_length)))


@dataclass(slots=True)
class Outcome:
    """What a run has cost: waiting time for its callers, GPU time for its operator."""

    seconds: list[float] = field(default_factory=list)
    """Seconds from submit to image, for each task."""
    gpu_seconds: float = 0.0
    busy_seconds: float = 0.0
    idle_seconds: float = 0.0
    """Of workers that are ready but have no job, or that shut down."""
    needed_gpus_stopped: int = 0
    """GPUs that were stopped although the backlog of that moment needed them."""
    lowest_desired: int | None = None
    """The smallest desired count after such a stop; None without one."""

    def add(self, other: "Outcome") -> None:
        """Add the outcome of another run."""
        self.seconds += other.seconds
        self.gpu_seconds += other.gpu_seconds
        self.busy_seconds += other.busy_seconds
        self.idle_seconds += other.idle_seconds
        self.needed_gpus_stopped += other.needed_gpus_stopped
        lowest_desired = [each for each in (self.lowest_desired, other.lowest_desired) if each is not None]
        self.lowest_desired = min(lowest_desired, default=None)
