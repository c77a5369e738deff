"""The ECS service of one runtime."""

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from infra.compute.gpu_capacity import GpuCapacity
from infra.compute.network import Network


class WorkerService(Construct):
    """As many GPU tasks as auto scaling requests, on the runtime's own capacity."""

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
    ) -> None:
        super().__init__(scope, id_)
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=definition,
            # Without a strategy the service would silently use Fargate, which has no GPUs.
            capacity_provider_strategies=capacity.strategies,
            security_groups=[network.security_group],
            # desired_count is not set, because otherwise every stack update would reset what auto scaling has
            # started. The first deployment therefore starts one task, which proves that the image works;
            # scaling removes it again.
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.DISABLED,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
            enable_execute_command=enable_execute_command,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
