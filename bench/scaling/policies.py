"""The policies that are compared."""

from collections import deque
from dataclasses import dataclass, field

from bench.scaling.latencies import (
    HPA_MORE_PODS,
    HPA_STABILIZATION_SECONDS,
    HPA_SYNC_SECONDS,
    HPA_TOLERANCE,
    KEDA_CONSOLIDATE_SECONDS,
    KEDA_POLL_SECONDS,
    METRIC_PERIOD_SECONDS,
    TRACKING_IN_PERIODS,
    TRACKING_IN_SHARE,
    TRACKING_OUT_PERIODS,
    WAKER_SECONDS,
)
from bench.scaling.outcome import Datapoint
from bench.scaling.simulation import World


@dataclass(kw_only=True)
class Former:
    """This project's former policy: a waker from zero to one, then step scaling by CloudWatch alarms.

    It compared what the backlog wants with what runs, although a worker that has to leave still runs for
    minutes, and metrics are late.
    """

    cooldown_seconds: int
    idle_instance_seconds: float = 60.0
    protects: bool = True
    _fewer: int = 0
    _nothing: int = 0

    def start(self, world: World) -> None:
        world.every(300, lambda: self.submitted(world) if world.backlog else None)

    def submitted(self, world: World) -> None:
        if not world.desired:
            world.after(WAKER_SECONDS, lambda: world.order(max(1, world.desired)))

    def measured(self, world: World, datapoint: Datapoint) -> None:
        backlog = datapoint.visible + datapoint.in_flight
        wanted = -(-backlog // world.bounds.queue_length)
        periods = max(1, round(self.cooldown_seconds / METRIC_PERIOD_SECONDS))
        self._fewer = self._fewer + 1 if datapoint.running > wanted else 0
        self._nothing = self._nothing + 1 if datapoint.running and not backlog else 0
        if wanted > datapoint.running:
            world.order(min(wanted, world.bounds.maximum))
        if self._fewer >= periods:
            world.order(max(world.bounds.minimum, world.desired - 1))
        if self._nothing >= periods:
            world.order(world.bounds.minimum)


@dataclass(kw_only=True)
class TargetTracking:
    """Target tracking of messages for each worker, by the metrics of SQS.

    It never starts from zero for fewer tasks than its target, so it needs a minimum of one.
    """

    cooldown_seconds: int
    idle_instance_seconds: float = 60.0
    protects: bool = True
    _values: deque[float] = field(default_factory=lambda: deque(maxlen=TRACKING_IN_PERIODS))
    _changed_at: float = float("-inf")

    def start(self, world: World) -> None:
        world.order(max(1, world.bounds.minimum))

    def submitted(self, world: World) -> None:
        """Metrics only."""

    def measured(self, world: World, datapoint: Datapoint) -> None:
        target = world.bounds.queue_length
        workers = max(1.0, datapoint.running)
        self._values.append((datapoint.visible + datapoint.in_flight) / workers)
        values = list(self._values)
        aim = min(world.bounds.maximum, max(1, -(-int(values[-1] * workers) // target)))
        out = values[-TRACKING_OUT_PERIODS:]
        calm = world.now - self._changed_at >= self.cooldown_seconds
        too_many = len(out) == TRACKING_OUT_PERIODS and min(out) > target
        too_few = len(values) == TRACKING_IN_PERIODS and max(values) < target * TRACKING_IN_SHARE
        # A larger scale-out need not wait for the cooldown of the last one.
        if (too_many and aim > world.desired) or (too_few and calm and aim < world.desired):
            self._changed_at = world.now
            world.order(aim)


@dataclass(kw_only=True)
class Keda:
    """AWS's Guidance: KEDA from zero and to zero, Kubernetes' HPA between, Karpenter for the instances.

    KEDA counts waiting messages and those in flight, which is its default: the chart's `scaleOnInFlight` is
    not among the fields of the trigger, where KEDA reads it. Kubernetes does not know which pods work. It
    stops the newest, which finish their job.
    """

    cooldown_seconds: int
    idle_instance_seconds: float = KEDA_CONSOLIDATE_SECONDS
    protects: bool = False
    _active_at: float = 0.0
    _recommended: deque[tuple[float, int]] = field(default_factory=deque)

    def start(self, world: World) -> None:
        world.every(KEDA_POLL_SECONDS, lambda: self._poll(world))
        world.every(HPA_SYNC_SECONDS, lambda: self._sync(world))

    def submitted(self, world: World) -> None:
        """It polls."""

    def measured(self, world: World, datapoint: Datapoint) -> None:
        """It does not use CloudWatch."""

    def _poll(self, world: World) -> None:
        if world.backlog:
            self._active_at = world.now
            if not world.desired:
                self._recommended.clear()
                world.order(1)
        elif world.desired > world.bounds.minimum and world.now - self._active_at >= self.cooldown_seconds:
            world.order(world.bounds.minimum)

    def _sync(self, world: World) -> None:
        current, backlog = world.desired, world.backlog
        if not current:
            return
        ratio = backlog / (world.bounds.queue_length * current)
        wanted = current if abs(ratio - 1) <= HPA_TOLERANCE else max(1, world.bounds.wanted(backlog))
        self._recommended.append((world.now, wanted))
        while self._recommended[0][0] <= world.now - HPA_STABILIZATION_SECONDS:
            self._recommended.popleft()
        if wanted > current:
            world.order(min(wanted, max(2 * current, current + HPA_MORE_PODS)))
        elif (most := max(count for _, count in self._recommended)) < current:
            world.order(most)
