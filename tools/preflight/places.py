"""Check the region, its zones, and the instance types that they offer."""

from collections.abc import Iterator
from typing import Final

from infra.compute.stack import NoManagedInstancesError, refuse_without_managed_instances
from infra.function import has_snap_start
from infra.runtime_types.base import Runtime
from tools.preflight.finding import Account, Finding, failed, ok, warning
from tools.preflight.instances import offered_types, usable_types

# A VPC is created in this many zones unless the settings name others.
_DEFAULT_ZONE_COUNT: Final = 3


def region(account: Account) -> Iterator[Finding]:
    """Look up the region in the lists of those without Managed Instances or SnapStart."""
    try:
        refuse_without_managed_instances(account.region)
    except NoManagedInstancesError as refusal:
        yield failed("region", str(refusal))
        return
    yield ok("region", f"{account.region} has ECS Managed Instances")
    if account.settings.apigw.snap_start and not has_snap_start(account.region):
        yield warning("SnapStart", f"{account.region} does not offer it; the API starts without it")


def instance_types(account: Account) -> Iterator[Finding]:
    """Check that an ECS task of each runtime fits on an instance type that the region offers."""
    for runtime in account.settings.models_runtime:
        yield _check_types(account, runtime)


def _check_types(account: Account, runtime: Runtime) -> Finding:
    subject = f"instance types of {runtime.name}"
    size = f"{runtime.task_size.vcpus} vCPUs, {runtime.task_size.memory_gib} GiB, a GPU"
    offered = {offer.name for offer in offered_types(account, runtime.instance_types)}
    usable = {offer.name for offer in usable_types(account, runtime)}
    if not offered:
        return failed(
            subject,
            f"{account.region} offers none of {_join(runtime.instance_types)}: name others",
        )
    if not usable:
        return failed(
            subject, f"no ECS task ({size}) fits on {_join(offered)}: reduce taskSize, or name others"
        )
    if small := offered - usable:
        return warning(subject, f"an ECS task ({size}) does not fit on {_join(small)}, which is never used")
    return ok(subject, f"{_join(offered)} have room for an ECS task ({size})")


def zones(account: Account) -> Iterator[Finding]:
    """Check that the zones of a new VPC exist, and which of them offer the instance types."""
    network = account.settings.network
    if network.vpc_id:
        yield ok("zones", f"those of {network.vpc_id}")
        return
    filters = {"zone-type": "availability-zone", "state": "available"}
    response = account.client("ec2").describe_availability_zones(
        Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()]
    )
    known = sorted(zone["ZoneName"] for zone in response["AvailabilityZones"])
    used = list(network.availability_zones) or known[:_DEFAULT_ZONE_COUNT]
    if unknown := set(used) - set(known):
        yield failed("zones", f"{_join(unknown)} does not exist here; there are {_join(known)}")
    elif len(used) < _DEFAULT_ZONE_COUNT and not network.availability_zones:
        yield failed("zones", f"the account has only {_join(known)}: set {_setting(known)}")
    else:
        for runtime in account.settings.models_runtime:
            yield _check_zones(account, runtime, used)


def _check_zones(account: Account, runtime: Runtime, used: list[str]) -> Finding:
    pages = (
        account.client("ec2")
        .get_paginator("describe_instance_type_offerings")
        .paginate(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": list(runtime.instance_types)}],
        )
    )
    offering = {offer["Location"] for page in pages for offer in page["InstanceTypeOfferings"]}
    subject, types = f"zones of {runtime.name}", _join(runtime.instance_types)
    if not offering:
        return failed(subject, f"no zone of {account.region} offers {types}: name other instance types")
    if not offering & set(used):
        return failed(subject, f"none of {_join(used)} offers {types}: set {_setting(offering)}")
    if without := set(used) - offering:
        return warning(subject, f"{_join(without)} offers none of {types}; better {_setting(offering)}")
    return ok(subject, f"{_join(used)} offer {types}")


def _setting(zones: set[str] | list[str]) -> str:
    return f"network.availabilityZones: [{_join(sorted(zones)[:_DEFAULT_ZONE_COUNT])}]"


def _join(names: set[str] | list[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names))
