"""The settings that runtimes of every type have, and the interface of their engine's container."""

from abc import abstractmethod
from typing import Annotated, Any, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime as DomainRuntime
from domain.scaling import IDLE_INSTANCE_SECONDS, ScalingPolicy
from infra.runtime_types.engine import Engine
from infra.section import Section

Weight = StrictBool | Annotated[StrictInt, Field(ge=0, le=1000)]
_InstanceType = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.([a-z0-9-]+|\*)$")]


class Scaling(Section):
    """How the service of a runtime scales with its queue.

    `queue_length` is the backlog that one GPU should carry. `cooldown_period` is for how many
    seconds fewer GPUs must be enough before the service shrinks.
    """

    queue_length: Annotated[int, Field(ge=1, le=10_000)] = 10
    min_replica_count: Annotated[int, Field(ge=0, le=1000)] = 0
    max_replica_count: Annotated[int, Field(ge=1, le=1000)] = 5
    cooldown_period: Annotated[int, Field(ge=60, le=7200)] = 300

    def as_policy(self) -> ScalingPolicy:
        """Return the settings as the scaler uses them."""
        return ScalingPolicy(
            queue_length=self.queue_length,
            minimum=self.min_replica_count,
            maximum=self.max_replica_count,
            cooldown_seconds=self.cooldown_period,
        )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_replica_count > self.max_replica_count:
            raise ValueError("minReplicaCount must not be above maxReplicaCount")
        return self


class Capacity(Section):
    """Which instances are bought: `true` is weight 1, `false` is weight 0, a number is the weight itself."""

    on_demand: Weight = True
    spot: Weight = False

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.on_demand and not self.spot:
            raise ValueError("one of onDemand and spot must be on")
        return self


class TaskSize(Section):
    """CPUs and memory of one ECS task, which the smallest allowed instance type must have.

    Leave some of the instance (g5.2xlarge: 8 vCPUs, 32 GiB) to the agent and the operating system.
    """

    vcpus: Annotated[int, Field(ge=1, le=192)] = 4
    memory_gib: Annotated[int, Field(ge=4, le=2048)] = 24


class Storage(Section):
    """Where an instance stores images, checkpoints and temporary files.

    `instance_store` uses the NVMe disks of instances that have them instead of an EBS volume of `volume_gib`
    (ECS Managed Instances allow 30 to 16,384).
    """

    instance_store: bool = True
    volume_gib: Annotated[int, Field(ge=30, le=16_384)] = 150


class Runtime(Section):
    """Settings of a runtime (one engine with its queue and its service) that every runtime type has.

    A runtime type adds its own keys and its `type` in a class, which it registers in
    `infra.runtime_types.registry`.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,39}$")]
    type: str
    scaling: Scaling = Scaling()
    instance_types: Annotated[tuple[_InstanceType, ...], Field(min_length=1, max_length=20)] = (
        "g6.2xlarge",
        "g5.2xlarge",
    )
    capacity: Capacity = Capacity()
    task_size: TaskSize = TaskSize()
    storage: Storage = Storage()
    # How long ECS keeps an instance without a task. Short, because scaling in has already waited for the
    # cooldown: it only has to be long enough for a task that replaces another one to start on it.
    idle_instance_seconds: Annotated[int, Field(ge=0, le=3600)] = IDLE_INSTANCE_SECONDS
    # Folders of the model bucket to download completely before the engine starts; None uses the consumer's
    # list.
    sync_folders: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_./-]*$")], ...] | None = None
    # Disk budget for downloaded models; 0 uses as much as the disk has.
    model_cache_gib: Annotated[int, Field(ge=0, le=16_384)] = 0
    prefetch: Annotated[int, Field(ge=0, le=10)] = 2
    inference_timeout_seconds: Annotated[int, Field(ge=10, le=7200)] = 900
    notify_running: bool = False

    def as_domain(self, *, queue_url: str = "") -> DomainRuntime:
        """Return the runtime as the domain describes it, for the API's environment."""
        return DomainRuntime(name=self.name, type=self.type, queue_url=queue_url)

    def required_models(self) -> tuple[tuple[str, ...], ...]:
        """Return the models without which the runtime's tasks cannot start.

        Each is given as the keys in the model bucket of which one must exist; the first is the usual one.
        """
        return ()

    def sample_task(self) -> tuple[str, dict[str, Any]] | None:
        """Return type and content of a small task that works on every such runtime, if there is one."""
        return None

    @abstractmethod
    def engine(self, limits: Limits = DEFAULT_LIMITS) -> Engine:
        """Return the container of the runtime's engine, in a deployment whose tasks have these limits."""
