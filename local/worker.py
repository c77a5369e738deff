"""One worker on this machine: an engine and the consumer that uses it, as two processes."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.routing import Runtime
from domain.worker_environment import WorkerEnvironment
from local.deploy import ROOT, Deployment
from local.emulator import Emulator
from local.fakes.registry import FAKES, Fake
from local.process import Process

CONSUMER_STOP_SECONDS = 15.0  # before it stops, a consumer returns its message to the queue


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A consumer and the engine that it uses; `fake` is None if that engine is a real one."""

    runtime: Runtime
    engine_url: str
    consumer: Process
    fake: Fake | None


def consumer_environment(
    aws: Emulator,
    deployment: Deployment,
    runtime: Runtime,
    *,
    engine_url: str,
    model_dir: Path,
    options: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Return the consumer's environment for a deployed runtime; `options` are those of its engine."""
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
        # Without a model bucket, tasks can use the models that this engine lists.
        model_bucket="",
        model_dir=str(model_dir),
        engine_url=engine_url,
        runtime_options={**runtime.options, **(options or {})} or None,
        dynamic_model=runtime.dynamic_model,
        model_filename=runtime.model_filename,
        refiner_filename=runtime.refiner_filename,
        allowed_scripts=None if runtime.scripts is None else tuple(runtime.scripts),
        allowed_settings=runtime.settings or None,
        # The example images are served from this machine's loopback address.
        allow_private_inputs=True,
    )
    return aws.environment() | settings.to_environ() | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def run_worker(
    aws: Emulator,
    deployment: Deployment,
    runtime: Runtime,
    *,
    environment: Mapping[str, str] | None = None,
    engine_url: str | None = None,
    fake_settings: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    on_line: Callable[[str, str], None] | None = None,
) -> Iterator[Worker]:
    """Run a consumer with the engine at `engine_url`, or with a fake of its runtime's type.

    `environment` overrides the consumer's settings, `fake_settings` are options of the fake, `options` those
    of the runtime that only its engine understands, and `on_line` is called with each line of the consumer's
    output (runtime, line).
    """
    if engine_url is None:
        with (
            FAKES[runtime.type](**(fake_settings or {})) as fake,
            run_worker(
                aws,
                deployment,
                runtime,
                environment=environment,
                engine_url=fake.url,
                options=fake.options,
                on_line=on_line,
            ) as worker,
        ):
            yield Worker(runtime=runtime, engine_url=fake.url, consumer=worker.consumer, fake=fake)
        return
    model_dir = aws.folder / "models" / runtime.name
    model_dir.mkdir(parents=True, exist_ok=True)
    settings = consumer_environment(
        aws, deployment, runtime, engine_url=engine_url, model_dir=model_dir, options=options
    )
    with Process(
        f"consumer {runtime.name}",
        [sys.executable, "-m", "container.consumer"],
        environment=settings | dict(environment or {}),
        cwd=str(ROOT),
        stop_seconds=CONSUMER_STOP_SECONDS,
        on_line=None if on_line is None else lambda line: on_line(runtime.name, line),
    ) as consumer:
        yield Worker(runtime=runtime, engine_url=engine_url, consumer=consumer, fake=None)
