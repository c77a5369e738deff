"""The GPU instances of one runtime, which ECS Managed Instances launches, patches and terminates."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.compute.network import Network
from infra.runtime_types.base import Runtime

_PROVIDER_PROPERTY: Final = "ManagedInstancesProvider"
_LAUNCH_TEMPLATE_PROPERTY: Final = f"{_PROVIDER_PROPERTY}.InstanceLaunchTemplate"

# `instanceTypes` lists what may be launched, so price protection must not exclude one of them. By default, it
# excludes on-demand instance types that cost 20 % more than the cheapest one (g5.2xlarge beside g6.2xlarge).
# In EC2, 999999 means no limit.
_ANY_ON_DEMAND_PRICE: Final = 999_999
# For spot, any listed type may be launched, up to its own on-demand price.
_SPOT_PERCENT_OF_ON_DEMAND: Final = 100


class GpuCapacity(Construct):
    """One Managed Instances capacity provider for spot and one for on-demand, weighted by the settings."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        runtime: Runtime,
        cluster: ecs.Cluster,
        network: Network,
        infrastructure_role: iam.IRole,
        instance_profile: iam.IInstanceProfile,
    ) -> None:
        super().__init__(scope, id_)
        self.strategies: list[ecs.CapacityProviderStrategy] = []
        options = (
            ("OnDemand", ecs.CapacityOptionType.ON_DEMAND, int(runtime.capacity.on_demand)),
            ("Spot", ecs.CapacityOptionType.SPOT, int(runtime.capacity.spot)),
        )
        for name, option, weight in options:
            if not weight:
                continue
            provider = ecs.ManagedInstancesCapacityProvider(
                self,
                name,
                capacity_option_type=option,
                infrastructure_role=infrastructure_role,
                ec2_instance_profile=instance_profile,
                subnets=network.subnets,
                security_groups=[network.security_group],
                instance_requirements=_requirements(runtime, option),
                task_volume_storage=cdk.Size.gibibytes(runtime.storage.volume_gib),
                propagate_tags=ecs.PropagateManagedInstancesTags.CAPACITY_PROVIDER,
            )
            _set_unsupported_properties(provider, runtime)
            provider.node.add_dependency(network.dependency)
            cluster.add_managed_instances_capacity_provider(provider)
            strategy = ecs.CapacityProviderStrategy(
                capacity_provider=provider.capacity_provider_name,
                weight=weight,
                # The first ECS task is on-demand: ECS assigns each to a provider by the weights, and does not
                # move it to the other provider when there is no spot capacity.
                base=1 if option is ecs.CapacityOptionType.ON_DEMAND else None,
            )
            self.strategies.append(strategy)


def _requirements(runtime: Runtime, option: ecs.CapacityOptionType) -> ec2.InstanceRequirementsConfig:
    is_on_demand = option is ecs.CapacityOptionType.ON_DEMAND
    return ec2.InstanceRequirementsConfig(
        v_cpu_count_min=runtime.task_size.vcpus,
        memory_min=cdk.Size.gibibytes(runtime.task_size.memory_gib),
        accelerator_count_min=1,
        accelerator_types=[ec2.AcceleratorType.GPU],
        accelerator_manufacturers=[ec2.AcceleratorManufacturer.NVIDIA],
        allowed_instance_types=list(runtime.instance_types),
        # The CDK refuses the other option's field.
        on_demand_max_price_percentage_over_lowest_price=_ANY_ON_DEMAND_PRICE if is_on_demand else None,
        max_spot_price_as_percentage_of_optimal_on_demand_price=(
            None if is_on_demand else _SPOT_PERCENT_OF_ON_DEMAND
        ),
    )


def _set_unsupported_properties(provider: ecs.ManagedInstancesCapacityProvider, runtime: Runtime) -> None:
    """Set properties that CloudFormation supports but the construct does not yet."""
    resource = next(child for child in provider.node.find_all() if isinstance(child, ecs.CfnCapacityProvider))
    if runtime.storage.instance_store:
        resource.add_property_override(
            f"{_LAUNCH_TEMPLATE_PROPERTY}.LocalStorageConfiguration", {"UseLocalStorage": True}
        )
    resource.add_property_override(
        f"{_PROVIDER_PROPERTY}.InfrastructureOptimization.ScaleInAfter", runtime.idle_instance_seconds
    )
    # Replaces an instance that ECS reports as impaired, such as one whose GPU has a fatal error.
    resource.add_property_override(f"{_PROVIDER_PROPERTY}.AutoRepairConfiguration.ActionsStatus", "ENABLED")
