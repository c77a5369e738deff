"""How many GPUs a runtime should have: the policy and all of its numbers.

The function `functions.scale` applies it, the compute stack is synthesized with these numbers, and
`bench.scaling` simulates it.

The policy counts the messages of the queue itself, because CloudWatch's metrics are one to two minutes late.
It compares the number of GPUs that are needed with the number that was ordered (the desired count of the ECS
service) and never with the number that runs: a worker that finishes its job still runs minutes after it had
to stop. Counting it as surplus again would stop one GPU after the other, down to none while tasks wait.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, Self

CHECK_EVERY_MINUTES: Final = 1
"""How often the queues are checked if no task is submitted. EventBridge has no shorter interval."""

CHECK_SECONDS_WHILE_RUNNING: Final = 15
"""How often they are checked while there are GPUs, so that a GPU that is not needed is not paid for another
minute."""

CHECK_AGAIN_SECONDS: Final = 5
"""When a runtime is checked again that has no GPU although a task was just submitted: SQS estimates a queue's
length, and may not count a message yet that arrived a second ago."""

EVENT_WINDOW_SECONDS: Final = 1
"""How long submitted tasks are collected for one check: a burst causes one check a second, and the first task
of a quiet day waits no longer than with KEDA, which polls each second (`bench.scaling`). Lambda allows no
shorter time for large batches."""

IDLE_INSTANCE_SECONDS: Final = 30
"""How long ECS keeps an instance without a task, unless the settings say otherwise: as long as Karpenter in
AWS's Guidance."""

EVENT_CONCURRENCY: Final = 2
"""How many checks submitted tasks may start at the same time. Lambda allows no smaller number, and a burst of
tasks must not take the concurrency of the API: a new account has 10 in all."""

EVENT_RETENTION_SECONDS: Final = 600
"""How long an event is kept while checks fail. Nothing is lost with it, because the next check counts the
same messages."""

LARGE_SERVICE_GPUS: Final = 6
"""A service that may have this many GPUs is updated in parts: see `ScalingPolicy.update_limits`."""

ROW_PREFIX: Final = "#scaling#"
"""Beginning of the ids of the scaler's rows in the tasks' table; a task's id never begins with `#`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPolicy:
    """The `scaling` settings of a runtime: one GPU for each `queue_length` tasks, within the limits."""

    queue_length: int
    minimum: int
    maximum: int
    cooldown_seconds: int

    def gpus_for(self, backlog: int, *, updating: bool = False) -> int:
        """Return how many GPUs a backlog (waiting and running tasks) needs.

        A large service needs two for an update: ECS could neither stop its only worker nor start another one
        within the limits.
        """
        needed = max(self.minimum, min(self.maximum, ceil(backlog / self.queue_length)))
        return 2 if needed == 1 and updating and self.large else needed

    @property
    def large(self) -> bool:
        """Whether twice as many GPUs during an update would be too many."""
        return self.maximum >= LARGE_SERVICE_GPUS

    @property
    def update_limits(self) -> tuple[int, int]:
        """How many workers there are at least and at most during an update, in percent of the desired count.

        A small service keeps all workers until their successors run. A large one starts up to half as many
        more, and needs none: where no other GPU can be started, ECS replaces a quarter at a time.
        """
        return (75, 150) if self.large else (100, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """What the checks have found since `desired` GPUs became more than are needed.

    `checks` are pairs, oldest first: the last time at which that many GPUs counted as needed, and how many. A
    check is left out if a later one needed as many: only the largest number within the cooldown counts.
    """

    desired: int
    checks: tuple[tuple[int, int], ...]

    @classmethod
    def beginning(cls, desired: int, *, at: int) -> Self:
        """Return a surplus that begins at a time, until which all GPUs count as needed."""
        return cls(desired=desired, checks=((at, desired),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The desired count to set, which may be the current one, and the surplus for the next check."""

    desired: int
    surplus: Surplus | None


def decide(
    policy: ScalingPolicy,
    *,
    desired: int,
    backlog: int,
    surplus: Surplus | None,
    at: int,
    updating: bool = False,
) -> Decision:
    """Decide the desired count at a time in seconds, given the surplus of the previous decision.

    Scaling out is immediate and orders exactly what the backlog needs. Scaling in sets the largest number
    that was needed at any time within the cooldown, so no GPU that was needed in that time is stopped, and
    a queue whose estimated length is 0 for a moment has no effect. If anyone else has changed the desired
    count, their number is kept for a whole cooldown.
    """
    needed = policy.gpus_for(backlog, updating=updating)
    if needed >= desired:
        return Decision(desired=needed, surplus=None)
    if surplus is None or surplus.desired != desired:
        surplus = Surplus.beginning(desired, at=at)
    # What the previous check needed counts until now, so that no single check decides, however late it is.
    *older, (_, last) = surplus.checks
    recent = (check for check in (*older, (at, last)) if check[0] > at - policy.cooldown_seconds)
    checks = (*(check for check in recent if check[1] > needed), (at, needed))
    largest = max(count for _, count in checks)
    next_surplus = Surplus(desired=largest, checks=checks) if largest > needed else None
    return Decision(desired=largest, surplus=next_surplus)
