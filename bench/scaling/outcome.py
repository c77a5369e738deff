"""What a run is given, what it measures, and what comes out of it."""

from dataclasses import dataclass, field
from math import ceil


@dataclass(frozen=True, slots=True)
class Datapoint:
    """What CloudWatch says about one minute: the most messages, and the average number of workers."""

    visible: int
    in_flight: int
    running: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the settings of a runtime say about its number of GPUs."""

    queue_length: int = 10
    minimum: int = 0
    maximum: int = 5

    def wanted(self, backlog: int) -> int:
        """Return how many GPUs a backlog wants: one for each `queue_length` tasks."""
        return max(self.minimum, min(self.maximum, ceil(backlog / self.queue_length)))


@dataclass(slots=True)
class Outcome:
    """What a run has cost its callers and its owner."""

    seconds: list[float] = field(default_factory=list)
    """From submit to image, for each task."""
    gpu_seconds: float = 0.0
    busy_seconds: float = 0.0
    idle_seconds: float = 0.0
    """Of workers that are ready but have no job, or leave."""
    taken: int = 0
    """GPUs taken in although the backlog of that moment wanted them."""
    lowest: int | None = None
    """The fewest desired GPUs after taking one in that was wanted."""

    def add(self, other: "Outcome") -> None:
        """Add the outcome of another run."""
        self.seconds += other.seconds
        self.gpu_seconds += other.gpu_seconds
        self.busy_seconds += other.busy_seconds
        self.idle_seconds += other.idle_seconds
        self.taken += other.taken
        lowest = [each for each in (self.lowest, other.lowest) if each is not None]
        self.lowest = min(lowest, default=None)
