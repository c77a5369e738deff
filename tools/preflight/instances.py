"""Compute which instance types fit, and how many of their vCPUs the settings can ask for."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from infra.runtime_types.base import Runtime
from tools.preflight.finding import Account

_MIB_PER_GIB: Final = 1024
_ALL_PERCENT: Final = 100


@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """An instance type that EC2 offers."""

    name: str
    vcpus: int
    memory_mib: int
    gpus: int

    def vcpus_per_ecs_task(self, runtime: Runtime) -> int | None:
        """Return the vCPUs that one ECS task takes of the quota, or None if none fits on this type."""
        size = runtime.task_size
        memory_mib = size.memory_gib * _MIB_PER_GIB
        # The agent and the operating system need memory too, so an ECS task cannot have all of it.
        if self.memory_mib <= memory_mib or self.vcpus < size.vcpus or not self.gpus:
            return None
        tasks_per_instance = min(self.gpus, self.vcpus // size.vcpus, self.memory_mib // memory_mib)
        return ceil(self.vcpus / tasks_per_instance)


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The vCPUs that the settings can ask for: of one ECS task, of all, and of all during an update."""

    one_task: int = 0
    all_tasks: int = 0
    during_update: int = 0

    def __add__(self, other: "Demand") -> "Demand":
        return Demand(
            one_task=max(self.one_task, other.one_task),
            all_tasks=self.all_tasks + other.all_tasks,
            during_update=self.during_update + other.during_update,
        )


def vcpu_demand(runtime: Runtime, vcpus: int, *, spot: bool) -> Demand:
    """Return what a runtime can ask for of spot or on-demand instances; `vcpus` is that of one ECS task."""
    weights = int(runtime.capacity.on_demand), int(runtime.capacity.spot)
    if not weights[spot]:
        return Demand()
    max_tasks = runtime.scaling.max_replica_count
    base = int(weights[0] > 0)  # the first ECS task is on-demand, as `infra.compute.gpu_capacity` says

    def tasks_on_this_kind(tasks: int) -> int:
        weighted = ceil((tasks - base) * weights[spot] / sum(weights))
        return weighted if spot else base + weighted

    # A large service starts more workers during an update if it can, but also advances without any.
    min_percent, max_percent = runtime.scaling.as_policy().update_limits
    updating = max_tasks if min_percent < _ALL_PERCENT else max_tasks * max_percent // _ALL_PERCENT
    return Demand(
        one_task=vcpus,
        all_tasks=tasks_on_this_kind(max_tasks) * vcpus,
        during_update=tasks_on_this_kind(updating) * vcpus,
    )


def offered_types(account: Account, patterns: Iterable[str]) -> list[InstanceType]:
    """Return the instance types of the region that match, as `g6.2xlarge` or `g5.*`."""
    pages = (
        account.client("ec2")
        .get_paginator("describe_instance_types")
        .paginate(Filters=[{"Name": "instance-type", "Values": list(patterns)}])
    )
    return [
        InstanceType(
            name=entry["InstanceType"],
            vcpus=entry["VCpuInfo"]["DefaultVCpus"],
            memory_mib=entry["MemoryInfo"]["SizeInMiB"],
            gpus=sum(gpu["Count"] for gpu in entry.get("GpuInfo", {}).get("Gpus", [])),
        )
        for page in pages
        for entry in page["InstanceTypes"]
    ]


def usable_types(account: Account, runtime: Runtime) -> dict[InstanceType, int]:
    """Return the instance types on which an ECS task fits, with the vCPUs that one takes there."""
    vcpus_by_type = {
        offer: offer.vcpus_per_ecs_task(runtime) for offer in offered_types(account, runtime.instance_types)
    }
    return {offer: vcpus for offer, vcpus in vcpus_by_type.items() if vcpus is not None}
