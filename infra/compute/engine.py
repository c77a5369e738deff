"""The inference server's container, as each runtime type describes its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aws_cdk import aws_ecs as ecs

# Where the consumer's image has a VOLUME for what is handed over to the server.
HANDOVER_FOLDER: Final = "/opt/sd-on-ecs"

# ECS tells every container of a task where its role's credentials are.
_CREDENTIALS: Final = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What a task runs beside its consumer, and what the two must know of each other."""

    container: str
    image: str
    entry_point: tuple[str, ...] = ()
    """Empty: the image's own."""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str]
    health_check: ecs.HealthCheck
    stop_seconds: int
    model_directory: str
    """Where the server looks for models: the shared volume is mounted there."""
    model_folders: tuple[str, ...]
    """The folders of the model bucket that its tasks read."""
    settings_source: str
    """The server's settings file, in the consumer's image."""
    settings_volume: str
    settings_file: str
    """Where the server finds it, below `HANDOVER_FOLDER`."""
    worker: Mapping[str, Any] = field(default_factory=dict)
    """What the consumer is told of this type alone, by the fields of `WorkerEnvironment`."""

    @property
    def pinned(self) -> bool:
        """Whether the image is named by its digest, so that every start runs the same one."""
        return "@sha256:" in self.image

    @property
    def guarded_entry_point(self) -> list[str] | None:
        """The entry point without the address of the task role's credentials.

        None leaves the image's own: what only the image knows cannot be wrapped.
        """
        if not self.entry_point:
            return None
        return ["env", *(part for name in _CREDENTIALS for part in ("-u", name)), *self.entry_point]
