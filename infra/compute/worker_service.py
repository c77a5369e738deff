"""The ECS service of one runtime."""

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from domain.scaling import ScalingPolicy
from infra.compute.gpu_capacity import GpuCapacity
from infra.compute.network import Network


class WorkerService(Construct):
    """An ECS service with as many workers as the scaler requests, on the runtime's own capacity."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        cluster: ecs.Cluster,
        definition: ecs.TaskDefinition,
        capacity: GpuCapacity,
        network: Network,
        enable_execute_command: bool,
        start_at_zero: bool,
        policy: ScalingPolicy,
    ) -> None:
        super().__init__(scope, id_)
        min_percent, max_percent = policy.update_limits
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=definition,
            # Without a strategy the service would silently use Fargate, which has no GPUs.
            capacity_provider_strategies=capacity.strategies,
            security_groups=[network.security_group],
            # Only for a service that does not exist yet: CloudFormation would otherwise create it with one
            # ECS task and wait up to three hours for it, which never starts in a new account with a quota of
            # zero GPUs. Once the service exists, no count is set, because every update of the stack would
            # reset what the scaler has started.
            desired_count=0 if start_at_zero else None,
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.DISABLED,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            min_healthy_percent=min_percent,
            max_healthy_percent=max_percent,
            enable_execute_command=enable_execute_command,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        # CloudFormation creates these first and deletes them last: until its last ECS task has stopped, a
        # service needs the routes, the endpoints and the permission to pull images.
        self.service.node.add_dependency(network.dependency)
        if definition.execution_role is not None:
            self.service.node.add_dependency(definition.execution_role)
