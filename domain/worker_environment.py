"""The environment variables of a consumer, listed once for everything that starts one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from domain.limits import Limits


@dataclass(frozen=True, kw_only=True)
class WorkerEnvironment:
    """The settings of a consumer; None leaves a setting at the consumer's default.

    A variable is named like its field, in capitals. `container.consumer.settings` reads them and documents
    their meaning and allowed values; a test compares the two. Values may be CDK tokens, so nothing here reads
    the content of a string.
    """

    sync_folders: tuple[str, ...] | None = None
    runtime_name: str
    runtime_type: str | None = None
    task_queue_url: str
    result_topic_arn: str
    output_bucket: str
    task_table: str
    task_bucket: str | None = None
    input_buckets: tuple[str, ...] | None = None
    input_credentials: Mapping[str, str] | None = None
    model_bucket: str | None = None
    model_dir: str | None = None
    model_filename: str | None = None
    refiner_filename: str | None = None
    model_cache_bytes: int | None = None
    checkpoints_in_memory: int | None = None
    dynamic_model: bool | None = None
    engine_url: str | None = None
    runtime_options: Mapping[str, Any] | None = None
    prefetch: int | None = None
    inference_timeout_seconds: float | None = None
    visibility_seconds: int | None = None
    retry_delay_seconds: int | None = None
    allow_private_inputs: bool | None = None
    notify_running: bool | None = None
    metrics_namespace: str | None = None
    tracing: bool | None = None
    limits: Limits | None = None
    allowed_scripts: tuple[str, ...] | None = None
    allowed_settings: Mapping[str, str] | None = None
    engine_settings: Mapping[str, Any] | None = None
    engine_folders: Mapping[str, str] | None = None
    engine_settings_file: str | None = None
    heartbeat_file: str | None = None
    log_level: str | None = None

    def to_environ(self) -> dict[str, str]:
        """Return the environment variables of the settings that are set."""
        return dict(self._variables())

    def _variables(self) -> Iterator[tuple[str, str]]:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            # The name of a script may contain a comma; the names of buckets and folders cannot.
            as_json = field.name == "allowed_scripts" or isinstance(value, Mapping)
            yield field.name.upper(), json.dumps(value) if as_json else _text(value)


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case Limits():
            return value.to_json()
        case _:
            return str(value)
