"""One worker on this machine: an SD Web UI and the consumer that uses it, as two processes."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.worker_environment import WorkerEnvironment
from local.deploy import ROOT, Deployment, Runtime
from local.emulator import Emulator
from local.fakes.sdwebui.process import FakeWebUi
from local.fakes.sdwebui.process import running as fake_webui
from local.process import Process

CONSUMER_STOP_SECONDS = 15.0  # it releases its message, which takes a few calls


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A consumer and, unless a real SD Web UI is used, the fake one beside it."""

    runtime: Runtime
    webui_url: str
    consumer: Process
    webui: FakeWebUi | None


def consumer_environment(
    aws: Emulator, deployment: Deployment, runtime: Runtime, *, webui_url: str, model_dir: Path
) -> dict[str, str]:
    """Return the consumer's environment for a deployed runtime."""
    outputs = deployment.outputs
    settings = WorkerEnvironment(
        runtime_name=runtime.name,
        runtime_type=runtime.type,
        task_queue_url=runtime.queue_url,
        result_topic_arn=outputs["sdNotificationOutputArn"],
        output_bucket=outputs["OutputS3Bucket"],
        task_table=outputs["TaskTable"],
        task_bucket=outputs["LargeTaskBucket"],
        input_buckets=(outputs["UploadBucket"],),
        # Without a bucket, only the models that this Web UI lists exist.
        model_bucket="",
        model_dir=str(model_dir),
        engine_url=webui_url,
        dynamic_model=runtime.dynamic_model,
        model_filename=runtime.model_filename,
        refiner_filename=runtime.refiner_filename,
        # Pictures are served from this machine.
        allow_private_inputs=True,
    )
    return aws.environment() | settings.to_environ() | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def worker(
    aws: Emulator,
    deployment: Deployment,
    runtime: Runtime,
    *,
    environment: Mapping[str, str] | None = None,
    webui_url: str | None = None,
    webui_settings: Mapping[str, Any] | None = None,
    on_line: Callable[[str, str], None] | None = None,
) -> Iterator[Worker]:
    """Run a consumer with the SD Web UI at `webui_url`, or with a fake one.

    `environment` overrides the consumer's settings, `webui_settings` are options of the fake Web UI, and
    `on_line` is called with each line of the consumer's output (runtime, line).
    """
    if webui_url is None:
        with (
            fake_webui(**(webui_settings or {})) as webui,
            worker(
                aws, deployment, runtime, environment=environment, webui_url=webui.url, on_line=on_line
            ) as running,
        ):
            yield Worker(runtime=runtime, webui_url=webui.url, consumer=running.consumer, webui=webui)
        return
    model_dir = aws.folder / "models" / runtime.name
    model_dir.mkdir(parents=True, exist_ok=True)
    settings = consumer_environment(aws, deployment, runtime, webui_url=webui_url, model_dir=model_dir)
    with Process(
        f"consumer {runtime.name}",
        [sys.executable, "-m", "container.consumer"],
        environment=settings | dict(environment or {}),
        cwd=str(ROOT),
        stop_seconds=CONSUMER_STOP_SECONDS,
        on_line=None if on_line is None else lambda line: on_line(runtime.name, line),
    ) as consumer:
        yield Worker(runtime=runtime, webui_url=webui_url, consumer=consumer, webui=None)
