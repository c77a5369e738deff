"""This project's policy: the rule and numbers of `domain.scaling`, which the stack is synthesized from."""

from dataclasses import dataclass
from typing import Final

from bench.scaling.outcome import Datapoint
from bench.scaling.simulation import World
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
class Own:
    """The scaler: it counts the queue's messages when tasks are submitted, and on a schedule."""

    cooldown_seconds: int
    idle_instance_seconds: float = IDLE_INSTANCE_SECONDS
    protects: bool = True
    _surplus: Surplus | None = None
    _collects: bool = False

    def start(self, world: World) -> None:
        world.every(CHECK_EVERY_MINUTES * 60, lambda: self._scheduled(world))

    def submitted(self, world: World) -> None:
        if not self._collects:
            self._collects = True
            world.after(EVENT_WINDOW_SECONDS, lambda: self._collected(world))

    def measured(self, world: World, datapoint: Datapoint) -> None:
        """It does not use CloudWatch."""

    def _collected(self, world: World) -> None:
        self._collects = False
        world.after(CALL_SECONDS, lambda: self._check(world))

    def _scheduled(self, world: World) -> None:
        def check() -> None:
            self._check(world)
            if world.desired:
                for seconds in range(
                    CHECK_SECONDS_WHILE_RUNNING, CHECK_EVERY_MINUTES * 60, CHECK_SECONDS_WHILE_RUNNING
                ):
                    world.after(seconds, lambda: self._check(world))

        world.after(CALL_SECONDS, check)

    def _check(self, world: World) -> None:
        policy = ScalingPolicy(
            queue_length=world.bounds.queue_length,
            minimum=world.bounds.minimum,
            maximum=world.bounds.maximum,
            cooldown_seconds=self.cooldown_seconds,
        )
        decision = decide(
            policy, desired=world.desired, backlog=world.backlog, surplus=self._surplus, at=int(world.now)
        )
        self._surplus = decision.surplus
        world.order(decision.desired)
