"""This project's policy: it calls `domain.scaling.decide`, as the deployed scaler does."""

from dataclasses import dataclass
from typing import Final

from bench.scaling.outcome import Datapoint
from bench.scaling.simulation import Simulation
from domain.scaling import (
    CHECK_EVERY_MINUTES,
    CHECK_SECONDS_WHILE_RUNNING,
    EVENT_WINDOW_SECONDS,
    IDLE_INSTANCE_SECONDS,
    ScalingPolicy,
    Surplus,
    decide,
)

CALL_SECONDS: Final = 0.5
"""From the invocation of the scaler, which is warm because it runs each minute, to a changed desired count:
calls of DynamoDB, ECS, SQS and ECS."""


@dataclass(kw_only=True)
class ThisProject:
    """The scaler: it counts the queue's messages when tasks are submitted, and on a schedule."""

    cooldown_seconds: int
    idle_instance_seconds: float = IDLE_INSTANCE_SECONDS
    protects_workers: bool = True
    _surplus: Surplus | None = None
    _is_collecting: bool = False

    def start(self, simulation: Simulation) -> None:
        simulation.every(CHECK_EVERY_MINUTES * 60, lambda: self._schedule_checks(simulation))

    def task_submitted(self, simulation: Simulation) -> None:
        if not self._is_collecting:
            self._is_collecting = True
            simulation.after(EVENT_WINDOW_SECONDS, lambda: self._end_collecting(simulation))

    def metric_arrived(self, simulation: Simulation, datapoint: Datapoint) -> None:
        """Do nothing: the scaler does not use CloudWatch."""

    def _end_collecting(self, simulation: Simulation) -> None:
        self._is_collecting = False
        simulation.after(CALL_SECONDS, lambda: self._check(simulation))

    def _schedule_checks(self, simulation: Simulation) -> None:
        def check() -> None:
            self._check(simulation)
            if simulation.desired:
                for seconds in range(
                    CHECK_SECONDS_WHILE_RUNNING, CHECK_EVERY_MINUTES * 60, CHECK_SECONDS_WHILE_RUNNING
                ):
                    simulation.after(seconds, lambda: self._check(simulation))

        simulation.after(CALL_SECONDS, check)

    def _check(self, simulation: Simulation) -> None:
        policy = ScalingPolicy(
            queue_length=simulation.bounds.queue_length,
            minimum=simulation.bounds.minimum,
            maximum=simulation.bounds.maximum,
            cooldown_seconds=self.cooldown_seconds,
        )
        decision = decide(
            policy,
            desired=simulation.desired,
            backlog=simulation.backlog,
            surplus=self._surplus,
            at=int(simulation.now),
        )
        self._surplus = decision.surplus
        simulation.set_desired(decision.desired)
