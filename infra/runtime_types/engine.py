"""The engine's container, as each runtime type describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs

from infra.runtime_types.image import Image

# The path of a VOLUME in the consumer's image, through which the engine gets its settings file.
SHARED_FOLDER: Final = "/opt/sd-on-ecs"

# Variables by which ECS gives every container of a task the address of the role's credentials.
_CREDENTIALS: Final = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


@dataclass(frozen=True, kw_only=True)
class SettingsFile:
    """A file that is copied from the consumer's image to where the engine reads and writes it."""

    source: str
    """Its path in the consumer's image."""
    path: str
    """Where the engine reads it, below `SHARED_FOLDER`."""
    volume: str


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The container of the engine, and the settings by which it and the consumer work together."""

    container: str
    image: str
    credentials_secret: str | None = None
    """The secret with the credentials of the image's registry, by name or ARN."""
    entry_point: tuple[str, ...] = ()
    """Empty to use the image's own entry point."""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str]
    health_check: ecs.HealthCheck
    stop_seconds: int
    model_directory: str
    """Where the engine looks for models; the shared volume is mounted there."""
    model_folders: tuple[str, ...]
    """Folders of the model bucket that the runtime's tasks may read."""
    model_files: tuple[str, ...] = ()
    """Objects of the model bucket, outside these folders, that they may read too."""
    settings: SettingsFile | None = None
    read_only_models: bool = False
    """Whether the engine only reads the models, so that nothing that a task runs can change them."""
    shared_folders: tuple[str, ...] = ()
    """Folders in the volume of the settings file that the engine and the consumer both write."""
    worker: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the consumer for this runtime type only, by the field names of `WorkerEnvironment`."""

    @property
    def pinned(self) -> bool:
        """Return whether the image is given by digest, so that every start runs the same image."""
        return Image(self.image).pinned

    @property
    def entry_point_without_credentials(self) -> list[str] | None:
        """Return the entry point, wrapped to remove the address of the task role's credentials.

        None keeps the image's own entry point: it is unknown here and cannot be wrapped.
        """
        if not self.entry_point:
            return None
        return ["env", *(part for name in _CREDENTIALS for part in ("-u", name)), *self.entry_point]


def http_health_check(port: int, path: str) -> ecs.HealthCheck:
    """Return the check that an engine responds at a path of its own port."""
    script = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}{path}', timeout=5)"
    return ecs.HealthCheck(
        # Uses the engine's own Python, the one program that every such image has.
        command=["CMD-SHELL", f'"$(command -v python3 || command -v python)" -c "{script}" || exit 1'],
        # ECS allows a start period of 300 s at most; ten more failures make it nine minutes.
        start_period=cdk.Duration.seconds(300),
        interval=cdk.Duration.seconds(25),
        timeout=cdk.Duration.seconds(10),
        retries=10,
    )
