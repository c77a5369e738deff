"""The ECS task definition of one runtime's workers: fetch models, run the engine, then the consumer."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.compute.engine_images import EngineImages
from infra.runtime_types.base import TaskSize
from infra.runtime_types.engine import SHARED_FOLDER, Engine

# In the consumer's image this path is a VOLUME that the image's user owns, and ECS gives an empty volume the
# permissions of the VOLUME that it is mounted over (ECS developer guide, "bind mounts"). The container
# `sync-models` uses the same image and is the first to mount it.
MODEL_FOLDER: Final = "/models"
_TEMPORARY: Final = "/tmp"  # noqa: S108 - a mount point in a container
# On a volume because the root filesystem is read-only; the consumer updates it, and the health check reads
# it.
HEARTBEAT_FILE: Final = f"{_TEMPORARY}/heartbeat"

# The consumer exits with this status if the engine must be replaced. ECS must not restart it with the same
# engine.
REPLACE_EXIT_CODE: Final = 75

# The longest time that ECS documents (for Fargate); the consumer plans for 90 s.
CONSUMER_STOP_SECONDS: Final = 120
# Short, because `sync-models` checks incomplete downloads at its next start.
_SYNC_STOP_SECONDS: Final = 10

# The path in the image (`WORKDIR` of the Dockerfile); `-I -S` start Python without site-packages, in 20 ms.
HEALTH_CHECK: Final = ("CMD", "python", "-I", "-S", "/app/container/consumer/liveness/check_alive.py")

# If a container exits later than this, it is restarted in place; if sooner, the whole ECS task is replaced.
_RESTART_AFTER: Final = cdk.Duration.seconds(60)


class WorkerTask(Construct):
    """A task definition for one GPU: three containers in a fixed order, and the volumes that they share.

    A fourth one, `pull-image`, only has the engine's image pulled while models are downloaded.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        engine: Engine,
        size: TaskSize,
        image: assets.DockerImageAsset,
        engine_images: EngineImages,
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
            # Empty volumes on the instance's data disk, because tmpfs and Docker volumes are not valid here.
            volumes=[
                ecs.Volume(name=name, host=ecs.Host()) for name in ("models", "tmp", *self._settings_mount)
            ],
        )
        sync = self._add_model_sync()
        engine_image = engine_images.image(engine, self.definition)
        self._add_image_pull(engine_image)
        server = self._add_server(engine_image)
        consumer = self._add_consumer()
        server.add_container_dependencies(_dependency_on(sync, ecs.ContainerDependencyCondition.SUCCESS))
        # ECS stops containers in reverse order, so the consumer is stopped first while the engine still
        # works.
        consumer.add_container_dependencies(_dependency_on(server, ecs.ContainerDependencyCondition.START))

    @property
    def _settings_mount(self) -> dict[str, str]:
        file = self._engine.settings
        return {file.volume: SHARED_FOLDER} if file else {}

    def _add_model_sync(self) -> ecs.ContainerDefinition:
        # The settings file is part of the consumer's image, so that the engine's own image can be used
        # unchanged. The engine must be able to write it, whatever user it runs as: one whose
        # `POST /sdapi/v1/options` switches checkpoints saves the file at the end, and fails if it cannot.
        # For the same reason no mount is read-only.
        file = self._engine.settings
        copy_command = f"cp {file.source} {file.path} && chmod 666 {file.path} && " if file else ""
        # The engine and the consumer run as different users, and each must be able to delete the other's
        # files.
        shared = " ".join(self._engine.shared_folders)
        folder_command = f"mkdir -p {shared} && chmod 777 {shared} && " if shared else ""
        container = self.definition.add_container(
            "sync-models",
            image=self._image,
            essential=False,
            entry_point=["/bin/sh", "-c"],
            command=[f"{copy_command}{folder_command}exec python -m container.consumer sync-models"],
            environment=self._environment,
            readonly_root_filesystem=True,
            stop_timeout=cdk.Duration.seconds(_SYNC_STOP_SECONDS),
            logging=self._log_driver("sync-models"),
        )
        _mount(container, models=MODEL_FOLDER, tmp=_TEMPORARY, **self._settings_mount)
        return container

    def _add_image_pull(self, image: ecs.ContainerImage) -> None:
        """Add a container that ends at once, so that the engine's image is pulled beside the models.

        The ECS agent pulls the image of a container with dependencies only when these are met, unless the
        instance says otherwise (ECS_PULL_DEPENDENT_CONTAINERS_UPFRONT, `false` by default), and the settings
        of managed instances cannot be changed. An image without `true` only loses this head start.
        """
        self.definition.add_container(
            "pull-image",
            image=image,
            essential=False,
            entry_point=["true"],
            readonly_root_filesystem=True,
            logging=self._log_driver("pull-image"),
        )

    def _add_server(self, image: ecs.ContainerImage) -> ecs.ContainerDefinition:
        engine = self._engine
        if not engine.pinned:
            cdk.Annotations.of(self).add_warning_v2(
                "sd-on-ecs:imageCanChange",
                f"the image {engine.image} can change from one start to the next, and whoever "
                "changes it can use the ECS task's role; give its digest (IMAGE@sha256:...)",
            )
        container = self.definition.add_container(
            engine.container,
            image=image,
            gpu_count=1,
            entry_point=engine.entry_point_without_credentials,
            command=list(engine.command) or None,
            environment=dict(engine.environment),
            health_check=engine.health_check,
            enable_restart_policy=True,
            restart_attempt_period=_RESTART_AFTER,
            stop_timeout=cdk.Duration.seconds(engine.stop_seconds),
            logging=self._log_driver(engine.container),
        )
        container.add_mount_points(
            ecs.MountPoint(
                source_volume="models",
                container_path=engine.model_directory,
                read_only=engine.read_only_models,
            )
        )
        _mount(container, **self._settings_mount)
        return container

    def _add_consumer(self) -> ecs.ContainerDefinition:
        container = self.definition.add_container(
            "consumer",
            image=self._image,
            # A consumer that hangs fails the health check, and ECS replaces the task; the restart policy
            # reacts to exits only.
            essential=True,
            health_check=ecs.HealthCheck(
                command=list(HEALTH_CHECK),
                # Based on the lease (120 s): when a consumer is silent for longer, its leases have expired.
                # Three failures in a row are required so that neither a slow `exec` on a busy host nor an
                # in-place restart, which finds the old file until the first update, makes ECS replace the
                # task.
                interval=cdk.Duration.seconds(30),
                retries=3,
                # The check only reads the modification time of a file; a host that needs more than 10 s for
                # that cannot run a job either.
                timeout=cdk.Duration.seconds(10),
                # Covers Python's imports from a cold disk until the first update, which does not wait for
                # the engine.
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
        shared = self._settings_mount if self._engine.shared_folders else {}
        _mount(container, models=MODEL_FOLDER, tmp=_TEMPORARY, **shared)
        return container

    def _log_driver(self, prefix: str) -> ecs.LogDriver:
        # Non-blocking, so that a slow CloudWatch cannot stop a GPU; lines beyond the buffer are dropped.
        return ecs.LogDrivers.aws_logs(
            log_group=self._logs,
            stream_prefix=prefix,
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
            max_buffer_size=cdk.Size.mebibytes(25),
        )


def _dependency_on(
    container: ecs.ContainerDefinition, condition: ecs.ContainerDependencyCondition
) -> ecs.ContainerDependency:
    return ecs.ContainerDependency(container=container, condition=condition)


def _mount(container: ecs.ContainerDefinition, **paths: str) -> None:
    for volume, path in paths.items():
        container.add_mount_points(ecs.MountPoint(source_volume=volume, container_path=path, read_only=False))
