"""The toy's settings in `config.yaml`, and a container beside its consumer."""

from dataclasses import replace
from typing import Literal

from aws_cdk import aws_ecs as ecs

from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime as DomainRuntime
from infra.runtime_types.base import Runtime
from infra.runtime_types.engine import Engine


class Toy(Runtime):
    type: Literal["toy"] = "toy"
    speed: int = 1
    most: int = 1000

    def as_domain(self, *, queue_url: str = "") -> DomainRuntime:
        return replace(
            super().as_domain(queue_url=queue_url), options={"speed": self.speed, "most": self.most}
        )

    def engine(self, _limits: Limits = DEFAULT_LIMITS) -> Engine:
        return Engine(
            container="toy",
            image="toy.example/toy@sha256:" + "0" * 64,
            environment={"SPEED": str(self.speed)},
            health_check=ecs.HealthCheck(command=["CMD", "true"]),
            stop_seconds=1,
            model_directory="/toys",
            model_folders=("toys",),
            worker={"engine_url": "http://127.0.0.1:1"},
        )
