"""The ECS task of one runtime: fetch models, then the inference server, then the consumer."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.compute.engine import HANDOVER_FOLDER, Engine
from infra.settings.runtime import TaskSize

# In the consumer's image this path is a VOLUME that its user owns, and ECS gives an empty volume the
# permissions of the VOLUME it is mounted over (ECS developer guide, "bind mounts"); `sync-models`, of the
# same image, is the first to mount it.
MODEL_FOLDER: Final = "/models"
_TEMPORARY: Final = "/tmp"  # noqa: S108 - a mount point in a container
# On a volume, for the root filesystem is read-only; the consumer touches it, the health check looks at it.
HEARTBEAT_FILE: Final = f"{_TEMPORARY}/heartbeat"

# "This engine must be replaced": the consumer is not to be restarted beside the same one.
REPLACE_EXIT_CODE: Final = 75

# The longest that ECS documents (for Fargate); the consumer plans for 90 s.
CONSUMER_STOP_SECONDS: Final = 120
# What `sync-models` has fetched in part, it checks at its next start.
_SYNC_STOP_SECONDS: Final = 10

# Where the image has it (`WORKDIR` of the Dockerfile); `-I -S` start Python without site-packages, in 20 ms.
HEALTH_CHECK: Final = ("CMD", "python", "-I", "-S", "/app/container/consumer/liveness/check_alive.py")

# How long a container must have run before an exit restarts it in place; sooner, the whole task is replaced.
_RESTART_AFTER: Final = cdk.Duration.seconds(60)


class WorkerTask(Construct):
    """A task definition for one GPU, with three containers in a fixed order and volumes they share."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        engine: Engine,
        size: TaskSize,
        image: assets.DockerImageAsset,
        environment: dict[str, str],
        role: iam.Role,
        log_retention: logs.RetentionDays,
        log_group_name: str,
    ) -> None:
        super().__init__(scope, id_)
        self._engine = engine
        self._image = ecs.ContainerImage.from_docker_image_asset(image)
        self._environment = environment
        self._logs = logs.LogGroup(
            self,
            "Logs",
            log_group_name=log_group_name,
            retention=log_retention,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.definition = ecs.TaskDefinition(
            self,
            "Definition",
            compatibility=ecs.Compatibility.MANAGED_INSTANCES,
            network_mode=ecs.NetworkMode.AWS_VPC,
            cpu=str(size.vcpus * 1024),
            memory_mib=str(size.memory_gib * 1024),
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
            task_role=role,
            # Empty volumes of the instance's data disk: tmpfs and Docker volumes are not valid here.
            volumes=[
                ecs.Volume(name=name, host=ecs.Host()) for name in ("models", "tmp", engine.settings_volume)
            ],
        )
        sync = self._sync_models()
        server = self._server()
        consumer = self._consumer()
        server.add_container_dependencies(_after(sync, ecs.ContainerDependencyCondition.SUCCESS))
        # ECS stops in the reverse order: the consumer is told first, while the server still serves.
        consumer.add_container_dependencies(_after(server, ecs.ContainerDependencyCondition.START))

    def _sync_models(self) -> ecs.ContainerDefinition:
        # The settings file travels in the consumer's image: the server's own image stays as it is. The server
        # must be able to write it, whatever user it runs as: SD Web UI's `POST /sdapi/v1/options`, which
        # switches checkpoints, ends with saving it, and fails where that fails. So no mount is read-only.
        engine = self._engine
        copy = f"cp {engine.settings_source} {engine.settings_file} && chmod 666 {engine.settings_file}"
        container = self.definition.add_container(
            "sync-models",
            image=self._image,
            essential=False,
            entry_point=["/bin/sh", "-c"],
            command=[f"{copy} && exec python -m container.consumer sync-models"],
            environment=self._environment,
            readonly_root_filesystem=True,
            stop_timeout=cdk.Duration.seconds(_SYNC_STOP_SECONDS),
            logging=self._log_driver("sync-models"),
        )
        _mount(container, models=MODEL_FOLDER, tmp=_TEMPORARY, **{engine.settings_volume: HANDOVER_FOLDER})
        return container

    def _server(self) -> ecs.ContainerDefinition:
        engine = self._engine
        if not engine.pinned:
            cdk.Annotations.of(self).add_warning_v2(
                "sd-on-ecs:imageCanChange",
                f"the image {engine.image} can change from one start to the next, and "
                "whoever changes it gets the task's role; name its digest (IMAGE@sha256:...)",
            )
        container = self.definition.add_container(
            engine.container,
            image=ecs.ContainerImage.from_registry(engine.image),
            gpu_count=1,
            entry_point=engine.guarded_entry_point,
            command=list(engine.command) or None,
            environment=dict(engine.environment),
            health_check=engine.health_check,
            enable_restart_policy=True,
            restart_attempt_period=_RESTART_AFTER,
            stop_timeout=cdk.Duration.seconds(engine.stop_seconds),
            logging=self._log_driver(engine.container),
        )
        _mount(container, models=engine.model_directory, **{engine.settings_volume: HANDOVER_FOLDER})
        return container

    def _consumer(self) -> ecs.ContainerDefinition:
        container = self.definition.add_container(
            "consumer",
            image=self._image,
            # A consumer that stands still fails the check, and ECS replaces the task: the restart policy sees
            # exits only.
            essential=True,
            health_check=ecs.HealthCheck(
                command=list(HEALTH_CHECK),
                # The lease (120 s) is the patience: whoever is silent for longer has lost its tasks already.
                # Three in a row, so that neither a slow `exec` on a busy host nor an in-place restart, which
                # finds the old file until the first beat, costs a GPU its task.
                interval=cdk.Duration.seconds(30),
                retries=3,
                # Reading one file's time; a host that cannot do that in 10 s runs no job either.
                timeout=cdk.Duration.seconds(10),
                # Python's imports from a cold disk until the first beat, which waits for no SD Web UI.
                start_period=cdk.Duration.seconds(120),
            ),
            environment=self._environment,
            readonly_root_filesystem=True,
            enable_restart_policy=True,
            restart_ignored_exit_codes=[REPLACE_EXIT_CODE],
            restart_attempt_period=_RESTART_AFTER,
            stop_timeout=cdk.Duration.seconds(CONSUMER_STOP_SECONDS),
            logging=self._log_driver("consumer"),
        )
        _mount(container, models=MODEL_FOLDER, tmp=_TEMPORARY)
        return container

    def _log_driver(self, prefix: str) -> ecs.LogDriver:
        # Non-blocking: a slow CloudWatch must not stop a GPU. Lines beyond the buffer are dropped.
        return ecs.LogDrivers.aws_logs(
            log_group=self._logs,
            stream_prefix=prefix,
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
            max_buffer_size=cdk.Size.mebibytes(25),
        )


def _after(
    container: ecs.ContainerDefinition, condition: ecs.ContainerDependencyCondition
) -> ecs.ContainerDependency:
    return ecs.ContainerDependency(container=container, condition=condition)


def _mount(container: ecs.ContainerDefinition, **paths: str) -> None:
    for volume, path in paths.items():
        container.add_mount_points(ecs.MountPoint(source_volume=volume, container_path=path, read_only=False))
