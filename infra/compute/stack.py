"""The compute stack: workers as ECS tasks with a GPU, in one ECS service for each runtime."""

from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from domain.metrics import namespace_of
from domain.worker_environment import WorkerEnvironment
from infra.assets import consumer_image
from infra.compute.engine_images import EngineImages
from infra.compute.gpu_capacity import GpuCapacity
from infra.compute.instance_roles import InstanceRoles
from infra.compute.network import Network
from infra.compute.scaler import ScaledService, Scaler
from infra.compute.worker_role import worker_role
from infra.compute.worker_service import WorkerService
from infra.compute.worker_task import HEARTBEAT_FILE, MODEL_FOLDER, WorkerTask
from infra.core.resources import CoreResources
from infra.function import log_retention
from infra.monitoring.names import worker_log_group_name
from infra.monitoring.worker_alarms import ScalerAlarm, WorkerAlarms
from infra.runtime_types.base import Runtime
from infra.runtime_types.engine import Engine
from infra.settings.deployment import Settings

START_AT_ZERO: Final = "startAtZero"
"""CDK context key with the runtimes, separated by commas, whose services are created with no ECS task
(`tools.deploy` sets it for services that do not exist yet)."""

# More zones make it likelier that EC2 has a free GPU, and cost nothing; every region has at least three.
_DEFAULT_ZONE_COUNT: Final = 3


class NoManagedInstancesError(Exception):
    """The region does not have ECS Managed Instances."""


def refuse_without_managed_instances(region: str | None) -> None:
    """Raise NoManagedInstancesError for a region that does not support the compute stack."""
    if region and region.startswith("cn-"):
        raise NoManagedInstancesError(
            f"the compute stack cannot be deployed to {region}: China regions have no ECS Managed Instances; "
            "the core stack can"
        )


class ComputeStack(cdk.Stack):
    """The network, cluster, capacity, services and scaler of a deployment."""

    def __init__(
        self, scope: Construct, id_: str, *, settings: Settings, core: CoreResources, **kwargs: Any
    ) -> None:
        super().__init__(scope, id_, description="sd-on-ecs: GPU tasks on ECS", **kwargs)
        refuse_without_managed_instances(None if cdk.Token.is_unresolved(self.region) else self.region)
        # Weak references allow the core stack to delete the queue of a runtime that was removed from the
        # settings, although this stack, which is deployed afterwards, still refers to it.
        cdk.CrossStackReferences.of(self).consume(cdk.ReferenceStrength.WEAK)
        self.settings = settings
        self._core = core
        self._start_at_zero = frozenset(str(self.node.try_get_context(START_AT_ZERO) or "").split(","))
        input_buckets = [
            s3.Bucket.from_bucket_name(self, f"Input-{name}", name) for name in settings.input_buckets
        ]
        self.network = Network(
            self,
            "Network",
            settings=settings.network,
            written_bucket=core.output_bucket,
            report_bucket=core.large_task_bucket,
            read_buckets=[core.upload_bucket, core.large_task_bucket, core.model_bucket, *input_buckets],
            table=core.table,
        )
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=self.network.vpc,
            # Off, because nothing reads its metrics, which cost money: the scaler asks ECS, and workers
            # report their own.
            container_insights_v2=ecs.ContainerInsights.DISABLED,
            execute_command_configuration=self._ecs_exec_log() if settings.enable_execute_command else None,
        )
        self._consumer_image = consumer_image(self, "ConsumerImage")
        self._engine_images = EngineImages(
            self, "EngineImages", deployment=settings.stack_name, kms_keys=settings.kms_key_arns
        )
        self._roles = InstanceRoles(self, "Roles", deployment=settings.stack_name)
        self.services: dict[str, ecs.FargateService] = {}
        for runtime in settings.models_runtime:
            self.services[runtime.name] = self._create_worker_service(runtime)
        self.scaler = Scaler(
            self,
            "Scaler",
            topic=core.task_topic,
            table=core.table,
            cluster=self.cluster,
            runtimes={
                runtime.name: ScaledService(
                    service=self.services[runtime.name],
                    queue=core.queues[runtime.name],
                    settings=runtime.scaling,
                )
                for runtime in settings.models_runtime
            },
            log_level=settings.log_level,
            log_retention=log_retention(settings),
            tracing=settings.tracing,
        )
        if settings.alarms.enabled:
            ScalerAlarm(
                self,
                "ScalerAlarm",
                stack_name=settings.stack_name,
                function=self.scaler.function,
                topic=core.alarm_topic,
            )
        cdk.CfnOutput(self, "ClusterName", value=self.cluster.cluster_name)
        service_names = {name: service.service_name for name, service in self.services.items()}
        cdk.CfnOutput(self, "Services", value=self.to_json_string(service_names))
        if self._engine_images.caches:
            cdk.CfnOutput(self, "CachedImages", value=self.to_json_string(self._engine_images.caches))
        cdk.CfnOutput(self, "ScalerName", value=self.scaler.function.function.function_name)

    @property
    def availability_zones(self) -> list[str]:
        """The zones in the settings, or the region's first three, which are read at deployment."""
        zones = self.settings.network.availability_zones
        return list(zones) or [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(_DEFAULT_ZONE_COUNT)]

    def _create_worker_service(self, runtime: Runtime) -> ecs.FargateService:
        scope = Construct(self, runtime.name)
        engine = runtime.engine(self.settings.limits.as_domain())
        role = worker_role(
            scope,
            "Role",
            core=self._core,
            runtime=runtime.name,
            model_keys=[*(f"{folder}/*" for folder in engine.model_folders), *engine.model_files],
            input_buckets=self.settings.input_buckets,
            secrets=sorted(set(self.settings.inputs.credentials.values())),
            kms_keys=self.settings.kms_key_arns,
            cluster_name=self.cluster.cluster_name,
        )
        task = WorkerTask(
            scope,
            "Task",
            engine=engine,
            size=runtime.task_size,
            image=self._consumer_image,
            engine_images=self._engine_images,
            environment=self._consumer_environment(runtime, engine),
            role=role,
            log_retention=log_retention(self.settings),
            log_group_name=worker_log_group_name(self.settings.stack_name, runtime.name),
        )
        capacity = GpuCapacity(
            scope,
            "Capacity",
            runtime=runtime,
            cluster=self.cluster,
            network=self.network,
            infrastructure_role=self._roles.infrastructure,
            instance_profile=self._roles.profile,
        )
        service = WorkerService(
            scope,
            "Worker",
            cluster=self.cluster,
            definition=task.definition,
            capacity=capacity,
            network=self.network,
            enable_execute_command=self.settings.enable_execute_command,
            start_at_zero=runtime.name in self._start_at_zero,
            policy=runtime.scaling.as_policy(),
        ).service
        if self.settings.alarms.enabled:
            WorkerAlarms(
                scope,
                "Alarms",
                stack_name=self.settings.stack_name,
                runtime=runtime.name,
                queue=self._core.queues[runtime.name],
                topic=self._core.alarm_topic,
                settings=self.settings.alarms,
            )
        return service

    def _consumer_environment(self, runtime: Runtime, engine: Engine) -> dict[str, str]:
        core = self._core
        return WorkerEnvironment(
            sync_folders=runtime.sync_folders,
            runtime_name=runtime.name,
            runtime_type=runtime.type,
            runtime_options=runtime.as_domain().options or None,
            task_queue_url=core.queues[runtime.name].queue_url,
            result_topic_arn=core.result_topic.topic_arn,
            output_bucket=core.output_bucket.bucket_name,
            task_table=core.table.table_name,
            task_bucket=core.large_task_bucket.bucket_name,
            input_buckets=(core.upload_bucket.bucket_name, *self.settings.input_buckets),
            input_credentials=self.settings.inputs.credentials or None,
            model_bucket=core.model_bucket.bucket_name,
            model_dir=MODEL_FOLDER,
            model_cache_bytes=runtime.model_cache_gib * 1024**3,
            prefetch=runtime.prefetch,
            inference_timeout_seconds=runtime.inference_timeout_seconds,
            notify_running=runtime.notify_running,
            metrics_namespace=namespace_of(self.settings.stack_name),
            tracing=self.settings.tracing,
            limits=self.settings.limits.as_domain(),
            heartbeat_file=HEARTBEAT_FILE,
            log_level=self.settings.log_level,
            **engine.worker,
        ).to_environ()

    def _ecs_exec_log(self) -> ecs.ExecuteCommandConfiguration:
        """Log ECS Exec sessions to a log group of their own, the only one that the task role may write to."""
        group = logs.LogGroup(
            self,
            "Shells",
            retention=log_retention(self.settings),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        return ecs.ExecuteCommandConfiguration(
            logging=ecs.ExecuteCommandLogging.OVERRIDE,
            log_configuration=ecs.ExecuteCommandLogConfiguration(cloud_watch_log_group=group),
        )
