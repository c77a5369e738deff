"""The consumer's settings, read from environment variables."""

import json
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import NoDecode

from container.consumer.model_store.settings import BadSettings, ModelSettings, describe_invalid
from domain.limits import DEFAULT_LIMITS, VISIBILITY_SECONDS, Limits
from domain.metrics import NAMESPACE
from domain.routing import Runtime

FIRST_DELAY_SECONDS: Final = 5
"""With the bound in `lifecycle/finish.py`, five attempts span about two and a half minutes."""


class Settings(ModelSettings):
    """All settings of the consumer, including those of models; boto3 reads AWS's own variables."""

    runtime_name: str = Field(min_length=1)
    task_queue_url: str = Field(pattern=r"^https?://")
    result_topic_arn: str = Field(pattern=r"^arn:")
    output_bucket: str = Field(min_length=1)
    task_table: str = Field(min_length=1)
    task_bucket: str = ""
    input_buckets: str = ""
    input_credentials: Annotated[dict[str, str], NoDecode] = Field(default={})
    """The secret (name or ARN) with the credentials for each host, as a JSON object."""
    engine_url: str = Field(default="http://127.0.0.1:7860", pattern=r"^https?://")
    runtime_options: Annotated[dict[str, Any], NoDecode] = Field(default={})
    """What only the runtime's type understands, as a JSON object."""
    dynamic_model: bool = False
    prefetch: int = Field(default=2, ge=0, le=10)
    model_window: int = Field(default=10, ge=1, le=50)
    """How many waiting messages a dynamic runtime considers to avoid switches; 1 keeps the queue's order."""
    max_overtakes: int = Field(default=20, ge=0)
    max_overtake_seconds: float = Field(default=120, ge=0)
    """A task runs next after this many others were preferred to it, or after this time in the window."""
    inference_timeout_seconds: float = Field(default=900, gt=0)
    visibility_seconds: int = Field(default=VISIBILITY_SECONDS, ge=6, le=43200)
    allow_private_inputs: bool = False
    limits: Annotated[Limits, NoDecode] = DEFAULT_LIMITS
    """Limits of a task, as JSON with some fields of `domain.limits.Limits`."""
    allowed_scripts: Annotated[frozenset[str] | None, NoDecode] = None
    """Scripts that a task may name, as a JSON list; if unset or empty, all but a few are allowed."""
    allowed_settings: Annotated[dict[str, str], NoDecode] = Field(default={})
    """Further settings of the engine that a task may override, with the types of their values, as JSON."""
    notify_running: bool = False
    """Send a callback with status `running` when a task starts on the GPU."""
    metrics_namespace: str = Field(default=NAMESPACE, pattern=r"^[A-Za-z0-9._/#:-]{1,255}$")
    metrics_seconds: float = Field(default=60, gt=0, le=60)
    """How often a consumer reports that it is at work and how its GPU spent the time."""
    tracing: bool = False
    """Send X-Ray segments for tasks whose trace is sampled."""
    shutdown_seconds: float = Field(default=75, gt=0, le=90)
    """How long a worker that shuts down lets its running job continue: spot gives 120 s, of which 90 are
    planned for."""
    engine_stop_seconds: float = Field(default=30, gt=0)
    """How long an interrupted job may take until its next step before the engine counts as hung."""
    receive_seconds: int = Field(default=5, ge=1, le=20)
    """Long polling: short enough not to delay a shutdown, and cheap (one call in 5 s)."""
    retry_delay_seconds: int = Field(default=FIRST_DELAY_SECONDS, ge=0, le=300)
    """The delay of a task after its first retryable error; it doubles with each further one."""
    heartbeat_file: str = ""
    """File that is touched with every heartbeat, so that the container's health check can read its age; empty
    for none."""
    ecs_agent_uri: str = ""
    """Set by ECS in each container: the agent's endpoint, for task protection."""

    @field_validator("limits", mode="before")
    @classmethod
    def _read_limits(cls, value: Any) -> Any:
        return (Limits.from_json(value) if value else DEFAULT_LIMITS) if isinstance(value, str) else value

    @field_validator("input_credentials", "allowed_settings", "runtime_options", mode="before")
    @classmethod
    def _read_object(cls, value: Any) -> Any:
        return (json.loads(value) if value else {}) if isinstance(value, str) else value

    @field_validator("allowed_scripts", mode="before")
    @classmethod
    def _read_scripts(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        names = json.loads(value) if value else None
        if names is None:
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("a JSON list of names is expected")
        return frozenset(name.lower() for name in names)

    @property
    def runtime(self) -> Runtime:
        """Return the runtime as its type's rules know it."""
        return replace(
            super().runtime,
            dynamic_model=self.dynamic_model,
            scripts=self.allowed_scripts,
            settings=self.allowed_settings,
            options=self.runtime_options,
        )

    @property
    def readable_buckets(self) -> frozenset[str]:
        """Return the buckets that a task's `s3://` links may name."""
        listed = frozenset(filter(None, (part.strip() for part in self.input_buckets.split(","))))
        return listed | {self.output_bucket}


def read_settings() -> Settings:
    """Return the settings; raise BadSettings with one line that names every invalid one."""
    try:
        return Settings()  # type: ignore[call-arg]  # pydantic-settings fills them from the environment
    except ValidationError as invalid:
        raise BadSettings(describe_invalid(invalid)) from None
