"""Composition of the worker from its settings."""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config

from adapters.orphans import OrphanCleaner
from adapters.results import Results
from adapters.runtime_report import RuntimeReports
from adapters.table import Table
from container.consumer.conversion.converter import Converter
from container.consumer.engines.base import Engine
from container.consumer.engines.registry import ENGINES
from container.consumer.job import ActiveJobs
from container.consumer.lifecycle.claim import Claimer
from container.consumer.lifecycle.finish import Finisher
from container.consumer.lifecycle.outputs import Store
from container.consumer.lifecycle.prepare import Preparer
from container.consumer.lifecycle.run import EngineRunner
from container.consumer.lifecycle.task_run import TaskRun
from container.consumer.liveness.heartbeat import Heartbeat
from container.consumer.liveness.scale_in_protection import Protection
from container.consumer.receiving.batching import AffinityBatcher
from container.consumer.receiving.queue import SqsQueue
from container.consumer.receiving.registry import WorkerRegistry
from container.consumer.scheduling.loop import Worker
from container.consumer.scheduling.prefetch import Prefetcher
from container.consumer.settings import Settings
from container.consumer.shutdown import GracefulShutdown, ProcessEnd
from container.consumer.telemetry.duration import DurationEstimator
from container.consumer.telemetry.engine_reporter import EngineReporter
from container.consumer.telemetry.task_metrics import TaskMetrics
from container.consumer.telemetry.utilization import GpuUtilization
from container.consumer.telemetry.worker_metrics import WorkerMetrics
from container.consumer.telemetry.xray import Tracer
from runtimes.base import RuntimeType
from runtimes.registry import RUNTIME_TYPES

CONNECT_SECONDS = 5
READ_SECONDS = 20
MAX_CALL_ATTEMPTS = 5
"""How often botocore tries a call before a step of a task fails; meanwhile the heartbeat renews the lease."""

Engines = Mapping[str, Callable[[Settings, Any, Any], Engine]]


class Clients(Protocol):
    """Creates clients of AWS services, as `boto3.client` does."""

    def __call__(self, service: Any, /, *, config: Config) -> Any:
        """Return a client."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """The worker, and the shutdown that a signal starts."""

    worker: Worker
    shutdown: GracefulShutdown


def exit_process(status: int) -> None:
    """End this process at once, without waiting for its threads."""
    logging.shutdown()
    os._exit(status)


def compose(
    settings: Settings,
    client: Clients = boto3.client,
    *,
    engines: Engines = ENGINES,
    runtime_types: Mapping[str, RuntimeType] = RUNTIME_TYPES,
    shutting_down: threading.Event | None = None,
    exit_process: Callable[[int], None] = exit_process,
) -> Consumer:
    """Create the clients and components; no message is received before the worker runs.

    The worker ends after `shutting_down` is set; `exit_process` ends the process if something hangs.
    Raise BadSettings or BadModelDir if the settings are invalid.
    """
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": MAX_CALL_ATTEMPTS},
        max_pool_connections=20,
    )
    s3, dynamodb = client("s3", config=config), client("dynamodb", config=config)
    lease_seconds = settings.visibility_seconds
    queue = SqsQueue(client("sqs", config=config), settings.task_queue_url, visibility_seconds=lease_seconds)
    table = Table(dynamodb, settings.task_table)
    results = Results(
        client("sns", config=config),
        settings.result_topic_arn,
        table,
        OrphanCleaner(s3, settings.output_bucket),
    )
    rules = settings.select_by_type(runtime_types)
    shutting_down = shutting_down or threading.Event()
    jobs = ActiveJobs()
    gpu = GpuUtilization()
    worker_name = _worker_name()
    registry = WorkerRegistry(
        dynamodb, settings.task_table, runtime=settings.runtime_name, worker=worker_name
    )
    batcher = AffinityBatcher(
        queue,
        size=settings.model_window if settings.dynamic_model else 1,
        max_overtakes=settings.max_overtakes,
        max_seconds=settings.max_overtake_seconds,
        receive_seconds=settings.receive_seconds,
        registry=registry,
        affinity=partial(rules.affinity, runtime=settings.runtime),
        gpu=gpu,
    )
    tracer = Tracer(client("xray", config=config)) if settings.tracing else None
    metrics = TaskMetrics(settings.metrics_namespace, settings.runtime_name, gpu, tracer)
    store = Store(s3, settings.output_bucket, table, Converter(settings.limits.upscaled_pixels))
    finisher = Finisher(
        queue,
        table,
        results,
        store,
        metrics,
        shutting_down,
        first_delay_seconds=settings.retry_delay_seconds,
    )
    process_end = ProcessEnd(jobs, batcher, finisher, metrics, exit_process=exit_process)
    secrets_manager = client("secretsmanager", config=config) if settings.input_credentials else None
    engine = settings.select_by_type(engines)(settings, s3, secrets_manager)
    estimate_changed = threading.Condition()
    durations = DurationEstimator(estimate_changed)
    runner = EngineRunner(
        engine, durations, gpu, on_stuck=process_end.replace_engine, stop_seconds=settings.engine_stop_seconds
    )

    def register() -> None:
        # The backlog is shared only among workers that can run tasks.
        if gpu.engine_ready:
            batcher.refresh()
            registry.renew(seconds=lease_seconds, speeds=durations.speeds())
        elif not shutting_down.is_set():
            registry.announce(seconds=lease_seconds)

    heartbeat = Heartbeat(
        jobs,
        queue,
        table,
        lease_seconds=lease_seconds,
        observe=runner.observe,
        on_stop=runner.stop,
        unclaimed=batcher.deliveries,
        on_beat=register,
        file=Path(settings.heartbeat_file) if settings.heartbeat_file else None,
    )
    protection = Protection(settings.ecs_agent_uri, has_jobs=jobs.exist)
    claimer = Claimer(
        batcher,
        queue,
        table,
        results,
        finisher,
        runtime=settings.runtime_name,
        worker=worker_name,
        lease_seconds=lease_seconds,
        protect_from_scale_in=protection.acquire,
    )
    tasks = TaskRun(
        claimer=claimer,
        preparer=Preparer(
            s3=s3,
            task_bucket=settings.task_bucket,
            engine=engine,
            rules=rules,
            runtime=settings.runtime,
            limits=settings.limits,
            shutting_down=shutting_down,
        ),
        table=table,
        results=results,
        runner=runner,
        store=store,
        finisher=finisher,
        jobs=jobs,
        protection=protection,
        gpu=gpu,
        shutting_down=shutting_down,
        lease_seconds=lease_seconds,
        notify_running=settings.notify_running,
    )
    worker = Worker(
        tasks=tasks,
        engine=engine,
        prefetcher=Prefetcher(
            tasks,
            durations,
            estimate_changed,
            prefetch=settings.prefetch,
            more_tasks_than_workers=batcher.has_more_messages_than_workers,
        ),
        batcher=batcher,
        jobs=jobs,
        heartbeat=heartbeat,
        protection=protection,
        registry=registry,
        gpu=gpu,
        task_metrics=metrics,
        worker_metrics=WorkerMetrics(metrics, engine, seconds=settings.metrics_seconds),
        engine_reporter=EngineReporter(
            engine.names, RuntimeReports(s3, settings.task_bucket), runtime=settings.runtime_name
        ),
        shutting_down=shutting_down,
    )
    shutdown = GracefulShutdown(
        runner, durations, process_end, shutting_down, shutdown_seconds=settings.shutdown_seconds
    )
    return Consumer(worker, shutdown)


def _worker_name() -> str:
    """Return a unique name from the host, the process and a random part."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
