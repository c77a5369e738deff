"""How a consumer is told what it works for: the one list of its variables, for everybody who starts one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from domain.limits import Limits


@dataclass(frozen=True, kw_only=True)
class WorkerEnvironment:
    """The settings of a consumer; None leaves one to the consumer's own default.

    A variable has its field's name in capitals. What each means, and what it may be, is in
    `container.consumer.settings`, which reads them; a test holds the two against each other. Values may be
    CDK tokens: nothing here looks into a text.
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
    model_bucket: str | None = None
    model_dir: str | None = None
    model_filename: str | None = None
    refiner_filename: str | None = None
    model_cache_bytes: int | None = None
    checkpoints_in_memory: int | None = None
    dynamic_model: bool | None = None
    engine_url: str | None = None
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
    heartbeat_file: str | None = None
    log_level: str | None = None

    def to_environ(self) -> dict[str, str]:
        """Return the variables that are set, as a process gets them."""
        return dict(self._written())

    def _written(self) -> Iterator[tuple[str, str]]:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            # A script's name may hold a comma, a bucket's and a folder's cannot.
            yield field.name.upper(), json.dumps(value) if field.name == "allowed_scripts" else _text(value)


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
