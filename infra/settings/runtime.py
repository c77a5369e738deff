"""What every runtime can set, whatever its type."""

from typing import Annotated, Any, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from infra.settings.section import Section

Weight = StrictBool | Annotated[StrictInt, Field(ge=0, le=1000)]
_InstanceType = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.([a-z0-9-]+|\*)$")]


class Scaling(Section):
    """How the service of a runtime follows its queue.

    `queue_length` is the backlog that one GPU is meant to carry, `cooldown_period` the seconds an
    empty queue waits before the service shrinks.
    """

    queue_length: Annotated[int, Field(ge=1, le=10_000)] = 10
    min_replica_count: Annotated[int, Field(ge=0, le=1000)] = 0
    max_replica_count: Annotated[int, Field(ge=1, le=1000)] = 5
    cooldown_period: Annotated[int, Field(ge=60, le=7200)] = 300

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_replica_count > self.max_replica_count:
            raise ValueError("minReplicaCount must not be above maxReplicaCount")
        return self


class Capacity(Section):
    """What instances are bought: `true` is weight 1, `false` is weight 0, a number is the weight itself."""

    on_demand: Weight = True
    spot: Weight = False

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.on_demand and not self.spot:
            raise ValueError("one of onDemand and spot must be on")
        return self


class TaskSize(Section):
    """What one ECS task asks of its instance beside the GPU; the smallest allowed instance must offer it.

    Less than the instance has: the agent and the system take their part (g5.2xlarge: 8 vCPUs, 32 GiB).
    """

    vcpus: Annotated[int, Field(ge=1, le=192)] = 4
    memory_gib: Annotated[int, Field(ge=4, le=2048)] = 24


class Storage(Section):
    """Where an instance keeps images, checkpoints and temporary files.

    `instance_store` uses the instance's own NVMe disks where it has them, instead of an EBS volume of
    `volume_gib` (ECS Managed Instances allow 30 to 16,384).
    """

    instance_store: bool = True
    volume_gib: Annotated[int, Field(ge=30, le=16_384)] = 150


class Runtime(Section):
    """One inference server with its queue and its service: what each runtime type has.

    A type adds a class with its own keys and its `type`, and joins the union in `infra.settings.deployment`.
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
    # The cooldown has already waited for more work; this is for an instance that is replaced in between.
    idle_instance_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    # Folders of the model bucket to fetch whole before the server starts; None: the consumer's list.
    sync_folders: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_./-]*$")], ...] | None = None
    # Budget of fetched models; 0: as much as the disk has.
    model_cache_gib: Annotated[int, Field(ge=0, le=16_384)] = 0
    prefetch: Annotated[int, Field(ge=0, le=10)] = 2
    inference_timeout_seconds: Annotated[int, Field(ge=10, le=7200)] = 900
    notify_running: bool = False

    def told_to_the_api(self) -> dict[str, Any]:
        """Return what the API is told of the runtime (`domain.routing.Runtime`), but for its queue."""
        return {"name": self.name, "type": self.type}
