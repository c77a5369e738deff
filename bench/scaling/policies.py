"""The policies that this project's own is compared with."""

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
from bench.scaling.simulation import Simulation


@dataclass(kw_only=True)
class StepScaling:
    """This project's former policy: a waker from zero to one, then step scaling by CloudWatch alarms.

    It compared how many GPUs the backlog needs with how many run, although a worker that has to stop still
    runs for minutes, and metrics are late.
    """

    cooldown_seconds: int
    idle_instance_seconds: float = 60.0
    protects_workers: bool = True
    _minutes_with_surplus: int = 0
    _minutes_without_work: int = 0

    def start(self, simulation: Simulation) -> None:
        simulation.every(300, lambda: self.task_submitted(simulation) if simulation.backlog else None)

    def task_submitted(self, simulation: Simulation) -> None:
        if not simulation.desired:
            simulation.after(WAKER_SECONDS, lambda: simulation.set_desired(max(1, simulation.desired)))

    def metric_arrived(self, simulation: Simulation, datapoint: Datapoint) -> None:
        backlog = datapoint.visible + datapoint.in_flight
        needed = -(-backlog // simulation.bounds.queue_length)
        periods = max(1, round(self.cooldown_seconds / METRIC_PERIOD_SECONDS))
        self._minutes_with_surplus = self._minutes_with_surplus + 1 if datapoint.running > needed else 0
        self._minutes_without_work = (
            self._minutes_without_work + 1 if datapoint.running and not backlog else 0
        )
        if needed > datapoint.running:
            simulation.set_desired(min(needed, simulation.bounds.maximum))
        if self._minutes_with_surplus >= periods:
            simulation.set_desired(max(simulation.bounds.minimum, simulation.desired - 1))
        if self._minutes_without_work >= periods:
            simulation.set_desired(simulation.bounds.minimum)


@dataclass(kw_only=True)
class TargetTracking:
    """Target tracking of messages for each worker, by the metrics of SQS.

    It never starts from zero for fewer tasks than its target, so it needs a minimum of one.
    """

    cooldown_seconds: int
    idle_instance_seconds: float = 60.0
    protects_workers: bool = True
    _values: deque[float] = field(default_factory=lambda: deque(maxlen=TRACKING_IN_PERIODS))
    _changed_at: float = float("-inf")

    def start(self, simulation: Simulation) -> None:
        simulation.set_desired(max(1, simulation.bounds.minimum))

    def task_submitted(self, simulation: Simulation) -> None:
        """Do nothing: only metrics count."""

    def metric_arrived(self, simulation: Simulation, datapoint: Datapoint) -> None:
        target = simulation.bounds.queue_length
        workers = max(1.0, datapoint.running)
        self._values.append((datapoint.visible + datapoint.in_flight) / workers)
        values = list(self._values)
        new_desired = min(simulation.bounds.maximum, max(1, -(-int(values[-1] * workers) // target)))
        recent = values[-TRACKING_OUT_PERIODS:]
        is_cooled_down = simulation.now - self._changed_at >= self.cooldown_seconds
        has_too_few_workers = len(recent) == TRACKING_OUT_PERIODS and min(recent) > target
        has_too_many_workers = len(values) == TRACKING_IN_PERIODS and max(values) < target * TRACKING_IN_SHARE
        # A larger scale-out need not wait for the cooldown of the last one.
        if (has_too_few_workers and new_desired > simulation.desired) or (
            has_too_many_workers and is_cooled_down and new_desired < simulation.desired
        ):
            self._changed_at = simulation.now
            simulation.set_desired(new_desired)


@dataclass(kw_only=True)
class Keda:
    """AWS's Guidance: KEDA from zero and to zero, Kubernetes' HPA between, Karpenter for the instances.

    KEDA counts waiting messages and those in flight, which is its default: the chart's `scaleOnInFlight` is
    not among the fields of the trigger, where KEDA reads it. Kubernetes does not know which pods work. It
    stops the newest, which finish their job.
    """

    cooldown_seconds: int
    idle_instance_seconds: float = KEDA_CONSOLIDATE_SECONDS
    protects_workers: bool = False
    _active_at: float = 0.0
    _recommended: deque[tuple[float, int]] = field(default_factory=deque)

    def start(self, simulation: Simulation) -> None:
        simulation.every(KEDA_POLL_SECONDS, lambda: self._poll(simulation))
        simulation.every(HPA_SYNC_SECONDS, lambda: self._sync(simulation))

    def task_submitted(self, simulation: Simulation) -> None:
        """Do nothing: KEDA polls the queue."""

    def metric_arrived(self, simulation: Simulation, datapoint: Datapoint) -> None:
        """Do nothing: KEDA does not use CloudWatch."""

    def _poll(self, simulation: Simulation) -> None:
        if simulation.backlog:
            self._active_at = simulation.now
            if not simulation.desired:
                self._recommended.clear()
                simulation.set_desired(1)
        elif (
            simulation.desired > simulation.bounds.minimum
            and simulation.now - self._active_at >= self.cooldown_seconds
        ):
            simulation.set_desired(simulation.bounds.minimum)

    def _sync(self, simulation: Simulation) -> None:
        current, backlog = simulation.desired, simulation.backlog
        if not current:
            return
        ratio = backlog / (simulation.bounds.queue_length * current)
        recommended = (
            current if abs(ratio - 1) <= HPA_TOLERANCE else max(1, simulation.bounds.needed_gpus(backlog))
        )
        self._recommended.append((simulation.now, recommended))
        while self._recommended[0][0] <= simulation.now - HPA_STABILIZATION_SECONDS:
            self._recommended.popleft()
        if recommended > current:
            simulation.set_desired(min(recommended, max(2 * current, current + HPA_MORE_PODS)))
        elif (largest := max(count for _, count in self._recommended)) < current:
            simulation.set_desired(largest)
